// Loops whose counters are indices: by a constant, by a bounded number, and by too much.
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char _license[] SEC("license") = "GPL";

volatile unsigned char table[64];

SEC("xdp")
int ok_to_a_constant(struct xdp_md *ctx)
{
	volatile int last = 0;
	int sum = 0;

#pragma clang loop unroll(disable)
	for (int i = 0; i < 64; i++) {
		sum += table[i];
		last = i;
	}
	return sum & 1;
}

SEC("xdp")
int bad_one_too_many(struct xdp_md *ctx)
{
	int sum = 0;

#pragma clang loop unroll(disable)
	for (volatile unsigned int i = 0; i < 65; i++)
		sum += table[i];
	return sum & 1;
}

SEC("xdp")
int ok_to_a_bounded_number(struct xdp_md *ctx)
{
	__u32 most = bpf_get_prandom_u32() & 15;
	int sum = 0;

#pragma clang loop unroll(disable)
	for (__u32 i = 0; i < most; i++)
		sum += table[i];
	return sum & 1;
}
