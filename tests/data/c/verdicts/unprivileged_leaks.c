/* Loaded without CAP_PERFMON: the bits of pointers stay in the program. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, u64);
} kept SEC(".maps");

SEC("socket")
long bad_result(struct __sk_buff *skb)
{
	return (long)skb;
}

SEC("socket")
long ok_result(struct __sk_buff *skb)
{
	return skb->len;
}

SEC("socket")
int bad_into_a_map(struct __sk_buff *skb)
{
	u32 key = 0;
	u64 *value = bpf_map_lookup_elem(&kept, &key);

	if (value)
		*value = (u64)skb;
	return 0;
}

SEC("socket")
int bad_through_a_helper(struct __sk_buff *skb)
{
	u64 pointer = (u64)skb;
	u32 key = 0;

	return bpf_map_update_elem(&kept, &key, &pointer, BPF_ANY);
}

SEC("socket")
int ok_a_number_through_a_helper(struct __sk_buff *skb)
{
	u64 number = skb->len;
	u32 key = 0;

	return bpf_map_update_elem(&kept, &key, &number, BPF_ANY);
}

SEC("socket")
int bad_low_half(struct __sk_buff *skb)
{
	u64 half;

	asm volatile("w0 = w1\n%[half] = r0" : [half] "=r"(half) : "r"(skb) : "r0", "r1");
	return half & 1;
}

SEC("tc")
int ok_into_the_packet(struct __sk_buff *skb)
{
	u64 *data = (void *)(long)skb->data;

	if ((void *)(data + 1) > (void *)(long)skb->data_end)
		return 0;
	*data = skb->len;
	return 0;
}

SEC("tc")
int bad_into_the_packet(struct __sk_buff *skb)
{
	u64 *data = (void *)(long)skb->data;

	if ((void *)(data + 1) > (void *)(long)skb->data_end)
		return 0;
	*data = (u64)skb;
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
