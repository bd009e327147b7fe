#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char _license[] SEC("license") = "GPL";

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} events SEC(".maps");

SEC("xdp")
int bad(struct xdp_md *ctx)
{
	__u64 *record = bpf_ringbuf_reserve(&events, 8, 0);
	if (!record)
		return XDP_PASS;
	*record = ctx->rx_queue_index;
	if (*record > 7)
		return XDP_DROP;
	bpf_ringbuf_submit(record, 0);
	return XDP_PASS;
}

SEC("xdp")
int good(struct xdp_md *ctx)
{
	__u64 *record = bpf_ringbuf_reserve(&events, 8, 0);
	if (!record)
		return XDP_PASS;
	*record = ctx->rx_queue_index;
	if (*record > 7) {
		bpf_ringbuf_discard(record, 0);
		return XDP_DROP;
	}
	bpf_ringbuf_submit(record, 0);
	return XDP_PASS;
}
