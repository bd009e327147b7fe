/* A netfilter hook's packet and state are structs of the kernel. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

SEC("netfilter")
int ok_fields(struct bpf_nf_ctx *ctx)
{
	return ctx->state->hook == NF_INET_FORWARD && ctx->skb->len > 100 ? 0 : 1;
}

SEC("netfilter")
int ok_device(struct bpf_nf_ctx *ctx)
{
	const struct net_device *in = ctx->state->in;

	return in && in->ifindex == 1;
}

SEC("netfilter")
int bad_written(struct bpf_nf_ctx *ctx)
{
	ctx->skb->mark = 1;
	return 1;
}

SEC("netfilter")
int bad_context_written(struct bpf_nf_ctx *ctx)
{
	ctx->skb = 0;
	return 1;
}

SEC("netfilter")
int bad_result(struct bpf_nf_ctx *ctx)
{
	return ctx->skb->len;
}

char LICENSE[] SEC("license") = "GPL";
