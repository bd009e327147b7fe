/* Static, global and weak functions, shared by programs, called in a diamond. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

__u64 leaves;

static __noinline int leaf(int value)
{
	leaves += value;
	return value * 3;
}

static __noinline int left(int value)
{
	return leaf(value + 1) ^ 5;
}

static __noinline int right(int value)
{
	return leaf(value - 1) + left(value);
}

__noinline int checked(struct xdp_md *ctx, __u32 *slot)
{
	if (!slot)
		return 0;
	*slot = ctx->rx_queue_index;
	return left(*slot);
}

__weak __noinline int overridable(int value)
{
	return value > 100 ? leaf(value) : 7;
}

SEC("xdp")
int first(struct xdp_md *ctx)
{
	__u32 slot = 0;

	return right(ctx->ingress_ifindex) + checked(ctx, &slot) + overridable(slot) > 0 ? XDP_PASS
											 : XDP_DROP;
}

SEC("xdp")
int second(struct xdp_md *ctx)
{
	return leaf(1) ? XDP_PASS : overridable(3);
}

SEC("xdp.frags")
int third(struct xdp_md *ctx)
{
	return left(2) & 1 ? XDP_PASS : XDP_DROP;
}

char LICENSE[] SEC("license") = "GPL";
