/* A netfilter hook. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

#define NF_DROP 0
#define NF_ACCEPT 1

SEC("netfilter")
int drop_forwarded(struct bpf_nf_ctx *ctx)
{
	const struct nf_hook_state *state = ctx->state;

	return state->hook == NF_INET_FORWARD && ctx->skb->len > 1400 ? NF_DROP : NF_ACCEPT;
}

char LICENSE[] SEC("license") = "GPL";
