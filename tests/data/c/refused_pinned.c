/* Refused: a map field without a meaning here. */
#include "bpf.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(pinning, 1);
	__type(key, __u32);
	__type(value, __u64);
} pinned SEC(".maps");

SEC("xdp") int program(struct xdp_md *ctx)
{
	__u32 key = 0;
	return bpf_map_lookup_elem(&pinned, &key) ? XDP_PASS : XDP_DROP;
}
