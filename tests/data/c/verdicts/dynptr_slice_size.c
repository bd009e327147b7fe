// The buffer and the size of bpf_dynptr_slice: a constant, and memory of that size or none.
#define BPF_NO_KFUNC_PROTOTYPES
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char _license[] SEC("license") = "GPL";

extern int bpf_dynptr_from_skb(struct __sk_buff *skb, u64 flags, struct bpf_dynptr *ptr) __ksym;
extern void *bpf_dynptr_slice(const struct bpf_dynptr *ptr, u32 offset, void *buffer,
			      u32 buffer__szk) __ksym;

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u8[20]);
} scratch SEC(".maps");

SEC("tc")
int ok_into_a_map_value(struct __sk_buff *skb)
{
	struct bpf_dynptr packet;
	__u32 zero = 0;
	__u8 *buffer = bpf_map_lookup_elem(&scratch, &zero), *bytes;

	if (!buffer || bpf_dynptr_from_skb(skb, 0, &packet))
		return 2;
	bytes = bpf_dynptr_slice(&packet, skb->mark, buffer, 20);
	return bytes ? bytes[19] : 2;
}

SEC("tc")
int bad_a_buffer_too_small(struct __sk_buff *skb)
{
	struct bpf_dynptr packet;
	__u32 zero = 0;
	__u8 *buffer = bpf_map_lookup_elem(&scratch, &zero), *bytes;

	if (!buffer || bpf_dynptr_from_skb(skb, 0, &packet))
		return 2;
	bytes = bpf_dynptr_slice(&packet, skb->mark, buffer, 21);
	return bytes ? bytes[19] : 2;
}

SEC("tc")
int bad_a_size_known_at_run_time(struct __sk_buff *skb)
{
	struct bpf_dynptr packet;
	__u8 buffer[20], *bytes;

	bpf_dynptr_from_skb(skb, 0, &packet);
	bytes = bpf_dynptr_slice(&packet, 0, buffer, skb->len & 15);
	return bytes != 0;
}

SEC("tc")
int bad_not_checked(struct __sk_buff *skb)
{
	struct bpf_dynptr packet;
	__u8 buffer[20], *bytes;

	bpf_dynptr_from_skb(skb, 0, &packet);
	bytes = bpf_dynptr_slice(&packet, 0, buffer, 20);
	return bytes[0];
}

SEC("tc")
int bad_no_buffer_but_a_number(struct __sk_buff *skb)
{
	struct bpf_dynptr packet;
	__u8 *bytes;

	bpf_dynptr_from_skb(skb, 0, &packet);
	bytes = bpf_dynptr_slice(&packet, 0, (void *)8, 20);
	return bytes ? bytes[0] : 2;
}

SEC("tc")
int ok_given_to_a_helper(struct __sk_buff *skb)
{
	struct bpf_dynptr packet;
	__u8 buffer[20], *bytes;

	bpf_dynptr_from_skb(skb, 0, &packet);
	bytes = bpf_dynptr_slice(&packet, 0, buffer, 20);
	if (!bytes)
		return 2;
	return bpf_csum_diff(0, 0, (void *)bytes, 20, 0) & 1;
}

SEC("tc")
int bad_filled_by_a_helper(struct __sk_buff *skb)
{
	struct bpf_dynptr packet;
	__u8 buffer[20], *bytes;

	bpf_dynptr_from_skb(skb, 0, &packet);
	bytes = bpf_dynptr_slice(&packet, 0, buffer, 20);
	if (!bytes)
		return 2;
	return bpf_skb_load_bytes(skb, 0, bytes, 20) != 0;
}
