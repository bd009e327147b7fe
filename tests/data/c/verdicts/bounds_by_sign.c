// Indices whose bounds come from signed, unsigned and 32-bit comparisons, and sign extension.
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char _license[] SEC("license") = "GPL";

volatile unsigned char table[64];

SEC("xdp")
int ok_unsigned(struct xdp_md *ctx)
{
	__u64 i = bpf_ktime_get_ns();

	return i < sizeof(table) ? table[i] : 0;
}

SEC("xdp")
int bad_signed_only_above(struct xdp_md *ctx)
{
	volatile __s64 seen = bpf_ktime_get_ns();
	__s64 i = seen;

	return i < (__s64)sizeof(table) ? table[i] : 0;
}

SEC("xdp")
int ok_signed_both_ends(struct xdp_md *ctx)
{
	volatile __s64 seen = bpf_ktime_get_ns();
	__s64 i = seen;

	return i >= 0 && i < (__s64)sizeof(table) ? table[i] : 0;
}

SEC("xdp")
int bad_low_half_only(struct xdp_md *ctx)
{
	__u64 i = bpf_ktime_get_ns();

	return (__u32)i < sizeof(table) ? table[i] : 0;
}
