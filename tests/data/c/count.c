/* Packets and bytes by the first byte of the packet: a typed hash, a variable on the stack. */
#include "bpf.h"

struct counter {
	__u64 packets;
	__u64 bytes;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 64);
	__type(key, __u32);
	__type(value, struct counter);
	__uint(map_flags, 1);
} counters SEC(".maps");

SEC("xdp") int count(struct xdp_md *ctx)
{
	__u8 *data = (__u8 *)(long)ctx->data;
	__u8 *end = (__u8 *)(long)ctx->data_end;
	if (data + 14 > end)
		return XDP_DROP;
	__u32 key = *data;
	struct counter *found = bpf_map_lookup_elem(&counters, &key);
	if (found) {
		found->packets += 1;
		found->bytes += end - data;
		return XDP_PASS;
	}
	struct counter fresh = {1, end - data};
	bpf_map_update_elem(&counters, &key, &fresh, 0);
	return XDP_PASS;
}

char LICENSE[] SEC("license") = "GPL";
