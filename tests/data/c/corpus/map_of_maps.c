/* Maps of maps: with a template, with first elements, with inner arrays of different lengths. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct per_port {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 64);
	__type(key, __u32);
	__type(value, __u64);
} web SEC(".maps"), mail SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 8);
	__type(key, __u32);
	__array(values, struct per_port);
} ports SEC(".maps") = {
	.values = {[2] = &web, [5] = (void *)&mail},
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH_OF_MAPS);
	__uint(max_entries, 100);
	__type(key, __u16);
	__array(values, struct {
		__uint(type, BPF_MAP_TYPE_ARRAY);
		__uint(map_flags, BPF_F_INNER_MAP);
		__uint(max_entries, 4);
		__type(key, int);
		__type(value, __u32);
	});
} tenants SEC(".maps");

SEC("xdp")
int count(struct xdp_md *ctx)
{
	__u32 port = ctx->rx_queue_index, zero = 0;
	__u16 tenant = ctx->ingress_ifindex;
	void *inner = bpf_map_lookup_elem(&ports, &port);
	__u64 *packets;
	__u32 *limit;

	if (inner) {
		packets = bpf_map_lookup_elem(inner, &zero);
		if (packets)
			__sync_fetch_and_add(packets, 1);
	}
	inner = bpf_map_lookup_elem(&tenants, &tenant);
	if (!inner)
		return XDP_PASS;
	limit = bpf_map_lookup_elem(inner, &zero);
	return limit && *limit ? XDP_PASS : XDP_DROP;
}

char LICENSE[] SEC("license") = "GPL";
