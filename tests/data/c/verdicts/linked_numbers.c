// Numbers a constant apart: what is learned of one is known of the other.
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char _license[] SEC("license") = "GPL";

volatile unsigned char table[64];

SEC("xdp")
int ok_the_sum_was_checked(struct xdp_md *ctx)
{
	__u32 i = bpf_get_prandom_u32();
	__u64 at = i, next;

	asm volatile("%0 = %1; %0 += 8" : "=r"(next) : "r"(at));
	if (next > 64)
		return 0;
	return table[at];
}

SEC("xdp")
int bad_the_sum_allows_more(struct xdp_md *ctx)
{
	__u32 i = bpf_get_prandom_u32();
	__u64 at = i, next;

	asm volatile("%0 = %1; %0 += 8" : "=r"(next) : "r"(at));
	if (next > 72)
		return 0;
	return table[at];
}
