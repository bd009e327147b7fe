/* Every data section, constants to set before load, subprograms by all three kinds of call. */
#include "bpf.h"

struct limits {
	__u16 ports[4];
	_Bool strict;
	__s32 bias;
};

const volatile __u32 limit = 7;
const volatile struct limits limits = {{80, 443}, 1, -5};
const volatile char label[8] = "eth";
__u64 total = 5;
static volatile __u64 hidden;
__u8 seen[10];

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 4);
	__uint(key_size, 4);
	__uint(value_size, 8);
} sums SEC(".maps");

static __noinline int within(__u32 number)
{
	__u32 key = 0;
	hidden += number;
	__u64 *sum = bpf_map_lookup_elem(&sums, &key);
	if (sum)
		*sum += number;
	return number > limit ? XDP_DROP : XDP_PASS;
}

__noinline int tally(struct xdp_md *ctx)
{
	total += ctx->rx_queue_index;
	seen[3] = limits.strict;
	return within(limits.ports[1]);
}

SEC("xdp") int first(struct xdp_md *ctx)
{
	return tally(ctx) == XDP_DROP ? within(3) : XDP_PASS;
}

SEC("xdp") int second(struct xdp_md *ctx)
{
	const char format[] = "queue %d";
	bpf_trace_printk(format, sizeof(format), ctx->rx_queue_index);
	return within(ctx->ingress_ifindex);
}

SEC("xdp.frags") int third(struct xdp_md *ctx)
{
	return label[0] == 'e' ? XDP_PASS : XDP_TX;
}

char LICENSE[] SEC("license") = "GPL";
