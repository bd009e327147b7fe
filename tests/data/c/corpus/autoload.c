/* A question mark before its section: loaded only when asked for. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("xdp")
int always(struct xdp_md *ctx)
{
	return XDP_PASS;
}

SEC("?xdp")
int on_demand(struct xdp_md *ctx)
{
	return XDP_DROP;
}

SEC("?tc")
int broken(struct __sk_buff *skb)
{
	return *(int *)(long)skb->len;
}

char LICENSE[] SEC("license") = "GPL";
