/* Zeroed data in sections of its own. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

__u64 table[16] SEC(".bss.tables");
static __u32 last SEC(".bss.last");

SEC("xdp")
int use(struct xdp_md *ctx)
{
	table[ctx->rx_queue_index & 15]++;
	last = ctx->ingress_ifindex;
	return XDP_PASS;
}

char LICENSE[] SEC("license") = "GPL";
