// Numbers that went through the stack: what was known of them, and what one path alone knows.
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char _license[] SEC("license") = "GPL";

volatile unsigned char table[64];

SEC("xdp")
int ok_checked_before_the_spill(struct xdp_md *ctx)
{
	volatile __u64 slot;
	__u64 i = bpf_ktime_get_ns();

	if (i > 63)
		return 0;
	slot = i;
	bpf_ktime_get_ns();
	return table[slot];
}

SEC("xdp")
int bad_low_bytes_are_another_number(struct xdp_md *ctx)
{
	volatile __u64 slot;
	__u64 i = bpf_ktime_get_ns();

	slot = i;
	if (*(volatile __u8 *)&slot > 63)
		return 0;
	return table[slot];
}

SEC("xdp")
int bad_wide_on_one_path(struct xdp_md *ctx)
{
	volatile __u64 slot = 3;

	if (bpf_get_prandom_u32() == 7)
		slot = 100;
	return table[slot];
}

SEC("xdp")
int ok_narrow_on_both_paths(struct xdp_md *ctx)
{
	volatile __u64 slot = 3;

	if (bpf_get_prandom_u32() == 7)
		slot = 60;
	return table[slot];
}
