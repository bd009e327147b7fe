// The stack of a chain of calls: 512 bytes together, or one for each function of event programs.
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char _license[] SEC("license") = "GPL";

#define FILL(size)                                                  \
	char bytes[size];                                           \
	bytes[0] = value;                                           \
	bytes[(size) - 1] = value + 1;                              \
	asm volatile("" : : "r"(bytes) : "memory")

static __noinline int small(int value)
{
	FILL(32);
	return bytes[0] + bytes[31];
}

static __noinline int inner(int value)
{
	FILL(200);
	return bytes[0] + bytes[199] + small(value);
}

static __noinline int middle(int value)
{
	FILL(200);
	return bytes[0] + bytes[199] + inner(value);
}

static __noinline int outer(int value)
{
	FILL(200);
	return bytes[0] + bytes[199] + middle(value);
}

__noinline int global_outer(int value)
{
	FILL(200);
	return bytes[0] + bytes[199] + middle(value);
}

SEC("xdp")
int ok_short_chain(struct xdp_md *ctx)
{
	return middle(3) & 1;
}

SEC("xdp")
int bad_long_chain(struct xdp_md *ctx)
{
	return outer(3) & 1;
}

SEC("xdp")
int bad_chain_over_a_global_function(struct xdp_md *ctx)
{
	return global_outer(3) & 1;
}

SEC("kprobe")
int ok_private_stacks(struct pt_regs *ctx)
{
	return outer(3) & 1;
}

SEC("raw_tp")
int ok_private_stacks_too(struct bpf_raw_tracepoint_args *ctx)
{
	return global_outer(3) & 1;
}

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, int);
	__type(value, int);
} programs SEC(".maps");

SEC("kprobe")
int bad_no_private_stacks_with_tail_calls(struct pt_regs *ctx)
{
	int value = outer(3);

	bpf_tail_call(ctx, &programs, 0);
	return value & 1;
}

#define CHAIN(name, next)                                           \
	static __noinline int name(int value)                       \
	{                                                           \
		barrier_var(value);                                 \
		return next(value + 1) + 1;                         \
	}
CHAIN(seventh, small)
CHAIN(sixth, seventh)
CHAIN(fifth, sixth)
CHAIN(fourth, fifth)
CHAIN(third, fourth)
CHAIN(second, third)
CHAIN(first, second)

SEC("xdp")
int ok_eight_frames(struct xdp_md *ctx)
{
	return second(1) & 1;
}

SEC("xdp")
int bad_nine_frames(struct xdp_md *ctx)
{
	return first(1) & 1;
}
