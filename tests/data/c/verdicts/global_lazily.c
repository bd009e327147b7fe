// Global functions are verified when they are called from code that is reached, and once.
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char _license[] SEC("license") = "GPL";

const volatile int enabled = 0;
int numbers[4];

__noinline int unsafe(int index)
{
	asm volatile("" : "+r"(index));
	return numbers[index];
}

__noinline int heavy(int rounds)
{
	int i, sum = 0;

	for (i = 0; i < 16; i++) {
		if (rounds & (1 << i))
			sum += i;
		barrier_var(sum);
	}
	return sum;
}

__noinline int outer(int rounds)
{
	return heavy(rounds) + heavy(rounds + 1);
}

SEC("xdp")
int ok_dead_code(struct xdp_md *ctx)
{
	if (enabled)
		return unsafe(7) & 1;
	return XDP_PASS;
}

SEC("xdp")
int bad_reached(struct xdp_md *ctx)
{
	if (!enabled)
		return unsafe(7) & 1;
	return XDP_PASS;
}

SEC("xdp")
int ok_verified_once(struct xdp_md *ctx)
{
	return (heavy(1) + heavy(2) + heavy(3) + outer(4)) & 1 ? XDP_PASS : XDP_DROP;
}
