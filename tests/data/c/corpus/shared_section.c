/* Programs and functions one after another in one section, calling each other's helpers. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

__u32 last;

static __noinline int twice(int value)
{
	last = value;
	return value * 2;
}

SEC("tc")
int one(struct __sk_buff *skb)
{
	return twice(skb->len) > 10;
}

SEC("tc")
int two(struct __sk_buff *skb)
{
	return twice(skb->mark) + twice(skb->ifindex);
}

SEC("tc")
int three(struct __sk_buff *skb)
{
	return last;
}

char LICENSE[] SEC("license") = "GPL";
