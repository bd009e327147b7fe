/* The decision, a program of its own, and a better weigh() than the weak one. */
#include "shared.h"

extern const volatile int limit;
extern struct counters counters __attribute__((section(".maps")));

static volatile int calls = 40;

static __noinline int note(int number)
{
	calls -= number;
	return calls;
}

__hidden __noinline int scaled(int number)
{
	return number * 3;
}

__noinline int classify(struct xdp_md *ctx)
{
	int size = ctx->data_end - ctx->data;

	note(1);
	return size > limit ? XDP_DROP : XDP_PASS;
}

__noinline int weigh(int verdict)
{
	return scaled(verdict) + note(0);
}

SEC("xdp") int dropped(struct xdp_md *ctx)
{
	__u32 key = XDP_DROP;
	struct counter *counter = bpf_map_lookup_elem(&counters, &key);

	return counter ? counter->packets : -1;
}

char LICENSE[] SEC("license") = "GPL";
