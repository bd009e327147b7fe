#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char _license[] SEC("license") = "GPL";

SEC("xdp")
int bad(struct xdp_md *ctx)
{
	return *(volatile __u8 *)&ctx->rx_queue_index ? XDP_PASS : XDP_DROP;
}

SEC("xdp")
int good(struct xdp_md *ctx)
{
	return (__u8)ctx->rx_queue_index ? XDP_PASS : XDP_DROP;
}
