/* Pointers that are none, or are no longer: what docs/rejections explains. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char _license[] SEC("license") = "GPL";

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16);
	__type(key, __u32);
	__type(value, __u64);
} counts SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} events SEC(".maps");

SEC("xdp")
int bad_unchecked_lookup(struct xdp_md *ctx)
{
	__u32 key = ctx->ingress_ifindex;
	__u64 *value = bpf_map_lookup_elem(&counts, &key);
	*value += 1;
	return XDP_PASS;
}

SEC("xdp")
int ok_checked_lookup(struct xdp_md *ctx)
{
	__u32 key = ctx->ingress_ifindex;
	__u64 *value = bpf_map_lookup_elem(&counts, &key);
	if (value)
		*value += 1;
	return XDP_PASS;
}

SEC("xdp")
int bad_moved_packet(struct xdp_md *ctx)
{
	__u8 *data = (void *)(long)ctx->data;
	void *data_end = (void *)(long)ctx->data_end;

	if ((void *)(data + 14) > data_end)
		return XDP_PASS;
	if (bpf_xdp_adjust_head(ctx, 4))
		return XDP_DROP;
	return data[0] ? XDP_PASS : XDP_DROP;
}

SEC("xdp")
int ok_moved_packet(struct xdp_md *ctx)
{
	if (bpf_xdp_adjust_head(ctx, 4))
		return XDP_DROP;
	__u8 *data = (void *)(long)ctx->data;
	void *data_end = (void *)(long)ctx->data_end;

	if ((void *)(data + 14) > data_end)
		return XDP_PASS;
	return data[0] ? XDP_PASS : XDP_DROP;
}

SEC("xdp")
int bad_context_size(struct xdp_md *ctx)
{
	return *(volatile __u8 *)&ctx->data ? XDP_PASS : XDP_DROP;
}

SEC("xdp")
int ok_context_size(struct xdp_md *ctx)
{
	return ctx->rx_queue_index ? XDP_PASS : XDP_DROP;
}

SEC("xdp")
int bad_kept_record(struct xdp_md *ctx)
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
int ok_submitted_record(struct xdp_md *ctx)
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

SEC("xdp")
int bad_argument(struct xdp_md *ctx)
{
	__u32 key = ctx->ingress_ifindex;

	return bpf_map_lookup_elem(ctx, &key) ? XDP_PASS : XDP_DROP;
}

SEC("xdp")
int bad_unset_register(struct xdp_md *ctx)
{
	register long kept asm("r3");

	asm volatile("call %[ticks]" ::[ticks] "i"(BPF_FUNC_ktime_get_ns) : "r0", "r1", "r2");
	asm volatile("r0 = r3" : : : "r0");
	asm volatile("" : "=r"(kept));
	return kept & 1;
}
