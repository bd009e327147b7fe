#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char _license[] SEC("license") = "GPL";

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16);
	__type(key, __u32);
	__type(value, __u64[4]);
} counts SEC(".maps");

SEC("xdp")
int bad(struct xdp_md *ctx)
{
	__u32 key = ctx->ingress_ifindex;
	__u64 *value = bpf_map_lookup_elem(&counts, &key);
	if (!value)
		return XDP_PASS;
	__u32 queue = ctx->rx_queue_index;
	if (queue > 4)
		return XDP_DROP;
	value[queue] += 1;
	return XDP_PASS;
}

SEC("xdp")
int good(struct xdp_md *ctx)
{
	__u32 key = ctx->ingress_ifindex;
	__u64 *value = bpf_map_lookup_elem(&counts, &key);
	if (!value)
		return XDP_PASS;
	__u32 queue = ctx->rx_queue_index;
	if (queue > 3)
		return XDP_DROP;
	value[queue] += 1;
	return XDP_PASS;
}
