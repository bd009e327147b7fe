/* The programs: everything they decide with is in other objects. */
#include "shared.h"

extern struct counters counters __attribute__((section(".maps")));
extern const volatile int limit;
extern __u64 total;

static volatile int calls;

static __noinline int note(int number)
{
	calls += number;
	return calls;
}

/* Only for the case that no other object knows better. */
__weak __noinline int weigh(int verdict)
{
	return verdict + 100;
}

SEC("xdp") int ingress(struct xdp_md *ctx)
{
	int verdict = classify(ctx);
	__u32 key = verdict & 3;
	struct counter *counter = bpf_map_lookup_elem(&counters, &key);

	if (counter) {
		counter->packets += 1;
		counter->bytes += ctx->data_end - ctx->data;
	}
	total += limit;
	note(2);
	return verdict;
}

SEC("xdp") int state(struct xdp_md *ctx)
{
	return (int)total + note(0) * 1000 + weigh(7) * 100000;
}

char LICENSE[] SEC("license") = "GPL";
