// Stack slots: those that nothing reads any more make no difference between two ways.
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char _license[] SEC("license") = "GPL";

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16);
	__type(key, long);
	__type(value, long);
} seen SEC(".maps");

char bytes[16];

SEC("xdp")
int ok_keys_in_many_ways(struct xdp_md *ctx)
{
	int i, found = 0;

	for (i = 0; i < 24; i++) {
		long key = ctx->ingress_ifindex + i, *value;

		if (i & 1)
			key = ctx->rx_queue_index;
		value = bpf_map_lookup_elem(&seen, &key);
		if (value)
			found += *value & 1;
		barrier_var(found);
	}
	return found > 3 ? XDP_DROP : XDP_PASS;
}

static __noinline void fill(long *slot, unsigned int how)
{
	*slot = how & 7;
	if (how & 64)
		*slot = 3;
}

SEC("xdp")
int ok_filled_by_a_function(struct xdp_md *ctx)
{
	unsigned int how = ctx->rx_queue_index;
	long slot = ctx->ingress_ifindex;

	barrier_var(how);
	if (how & 1)
		bpf_printk("odd");
	fill(&slot, how);
	return bytes[slot];
}

static __noinline void fill_sometimes(long *slot, unsigned int how)
{
	if (how & 64)
		*slot = 3;
}

SEC("xdp")
int bad_filled_on_one_way(struct xdp_md *ctx)
{
	long slot = ctx->ingress_ifindex;

	fill_sometimes(&slot, ctx->rx_queue_index);
	return bytes[slot];
}

SEC("xdp")
int bad_one_way_leaves_more(struct xdp_md *ctx)
{
	volatile long slot = 100;

	if (ctx->ingress_ifindex & 1)
		slot = 3;
	if (ctx->rx_queue_index & 1)
		bpf_printk("odd");
	if (ctx->rx_queue_index & 2)
		bpf_printk("two");
	return bytes[slot];
}
