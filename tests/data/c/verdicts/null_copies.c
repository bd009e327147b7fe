// A pointer that may be NULL, its copies, and what a check of one of them teaches.
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char _license[] SEC("license") = "GPL";

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 8);
	__type(key, __u32);
	__type(value, __u64);
} table SEC(".maps");

SEC("xdp")
int ok_a_copy_was_checked(struct xdp_md *ctx)
{
	__u32 key = 1;
	__u64 *found = bpf_map_lookup_elem(&table, &key), *copy;

	asm volatile("%0 = %1" : "=r"(copy) : "r"(found));
	if (!copy)
		return 0;
	return *found & 1;
}

SEC("xdp")
int bad_another_lookup_was_checked(struct xdp_md *ctx)
{
	__u32 key = 1;
	__u64 *found = bpf_map_lookup_elem(&table, &key);
	__u64 *other = bpf_map_lookup_elem(&table, &key);

	if (!other)
		return 0;
	return *found & 1;
}

SEC("xdp")
int bad_moved_before_the_check(struct xdp_md *ctx)
{
	__u32 key = 1;
	char *found = bpf_map_lookup_elem(&table, &key);

	asm volatile("%0 += 4" : "+r"(found));
	if (!found)
		return 0;
	return *found & 1;
}
