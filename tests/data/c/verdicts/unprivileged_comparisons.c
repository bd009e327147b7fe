/* Loaded without CAP_PERFMON: which pointers a program may compare, and with what. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 8);
	__type(key, u32);
	__type(value, u64);
} table SEC(".maps");

SEC("socket")
int ok_null(struct __sk_buff *skb)
{
	u32 key = 0;
	u64 *value = bpf_map_lookup_elem(&table, &key);

	return value ? *value : 0;
}

SEC("socket")
int bad_number(struct __sk_buff *skb)
{
	u32 key = 0;
	u64 *value = bpf_map_lookup_elem(&table, &key);
	int found = 0;

	asm volatile("if %[value] s< 0 goto +1\n%[found] = 1" : [found] "+r"(found) : [value] "r"(value));
	return found;
}

SEC("socket")
int bad_two_values(struct __sk_buff *skb)
{
	u32 first = 0, second = 1;
	u64 *a = bpf_map_lookup_elem(&table, &first);
	u64 *b = bpf_map_lookup_elem(&table, &second);

	return a == b;
}

SEC("xdp")
int ok_end_of_the_packet(struct xdp_md *xdp)
{
	u8 *data = (void *)(long)xdp->data;

	if (data + 14 > (u8 *)(long)xdp->data_end)
		return XDP_DROP;
	return data[12] == 8 ? XDP_PASS : XDP_DROP;
}

SEC("xdp")
int bad_length_by_subtraction(struct xdp_md *xdp)
{
	u64 length = (u64)xdp->data_end - (u64)xdp->data;

	asm volatile("" : "+r"(length));
	return length > 64 ? XDP_PASS : XDP_DROP;
}

char LICENSE[] SEC("license") = "GPL";
