/* Tail calls: a table of programs that the object fills itself. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

int ipv4(struct __sk_buff *skb);
int ipv6(struct __sk_buff *skb);

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 4);
	__uint(key_size, sizeof(__u32));
	__array(values, int(void *));
} parsers SEC(".maps") = {
	.values = {[0] = (void *)&ipv4, [3] = (void *)&ipv6},
};

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, __u32);
} later SEC(".maps");

SEC("tc")
int ipv4(struct __sk_buff *skb)
{
	return skb->len > 1000;
}

SEC("tc")
int ipv6(struct __sk_buff *skb)
{
	bpf_tail_call_static(skb, &later, 1);
	return 0;
}

static __noinline int jump(struct __sk_buff *skb)
{
	bpf_tail_call(skb, &parsers, skb->protocol & 3);
	return -1;
}

SEC("tc")
int entry(struct __sk_buff *skb)
{
	return jump(skb);
}

char LICENSE[] SEC("license") = "GPL";
