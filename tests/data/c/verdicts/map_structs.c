/* What a map is in the kernel, read through its pointer. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 8);
	__type(key, u32);
	__type(value, u64);
} table SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 8);
	__type(key, u32);
	__type(value, u64);
} values SEC(".maps");

SEC("xdp")
int ok_read(struct xdp_md *ctx)
{
	struct bpf_map *map = (struct bpf_map *)&table;
	struct bpf_htab *htab = (struct bpf_htab *)&table;

	return map->max_entries + htab->n_buckets + map->ops->map_poke_run ? XDP_PASS : XDP_DROP;
}

SEC("xdp")
int bad_written(struct xdp_md *ctx)
{
	((struct bpf_map *)&table)->max_entries = 1;
	return XDP_PASS;
}

SEC("xdp")
int bad_beyond(struct xdp_md *ctx)
{
	return ((struct bpf_htab *)&values)[1].n_buckets ? XDP_PASS : XDP_DROP;
}

SEC("xdp")
int bad_before(struct xdp_md *ctx)
{
	return *((u64 *)&values - 1) ? XDP_PASS : XDP_DROP;
}

char LICENSE[] SEC("license") = "GPL";
