// Functions that bpf_for_each_map_elem calls, by type of map.
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char _license[] SEC("license") = "GPL";

struct value {
	__u64 first, second;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, struct value);
} hash SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, struct value);
} percpu SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, 4);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u64);
	__type(value, struct value);
} trie SEC(".maps");

static long sum(void *map, __u32 *key, struct value *value, struct value *total)
{
	total->first += value->first + *key;
	value->second++;
	return 0;
}

SEC("xdp")
int ok_a_hash(struct xdp_md *ctx)
{
	struct value total = {};

	bpf_for_each_map_elem(&hash, sum, &total, 0);
	return total.first ? XDP_PASS : XDP_DROP;
}

SEC("xdp")
int ok_an_array_for_each_cpu(struct xdp_md *ctx)
{
	struct value total = {};

	bpf_for_each_map_elem(&percpu, sum, &total, 0);
	return total.first ? XDP_PASS : XDP_DROP;
}

SEC("xdp")
int bad_a_trie(struct xdp_md *ctx)
{
	struct value total = {};

	bpf_for_each_map_elem(&trie, sum, &total, 0);
	return total.first ? XDP_PASS : XDP_DROP;
}

static long change_the_key(void *map, __u32 *key, struct value *value, void *ctx)
{
	*key = 7;
	return 0;
}

SEC("xdp")
int bad_the_key_changed(struct xdp_md *ctx)
{
	bpf_for_each_map_elem(&hash, change_the_key, 0, 0);
	return XDP_PASS;
}

static long beyond(void *map, __u32 *key, struct value *value, void *ctx)
{
	return (&value->second)[1] & 1;
}

SEC("xdp")
int bad_beyond_the_value(struct xdp_md *ctx)
{
	bpf_for_each_map_elem(&hash, beyond, 0, 0);
	return XDP_PASS;
}

static long use_the_context(void *map, __u32 *key, struct value *value, struct value *total)
{
	total->first++;
	return 0;
}

SEC("xdp")
int bad_a_context_that_is_not_there(struct xdp_md *ctx)
{
	bpf_for_each_map_elem(&hash, use_the_context, 0, 0);
	return XDP_PASS;
}

static long delete(struct bpf_map *map, __u32 *key, struct value *value, void *ctx)
{
	bpf_map_delete_elem(map, key);
	return value->first & 1;
}

SEC("xdp")
int ok_elements_deleted(struct xdp_md *ctx)
{
	return bpf_for_each_map_elem(&hash, delete, 0, 0) > 3 ? XDP_PASS : XDP_DROP;
}

static long each_of_each(void *map, __u32 *key, struct value *value, struct value *total)
{
	bpf_for_each_map_elem(&percpu, sum, total, 0);
	return 0;
}

SEC("xdp")
int ok_nested(struct xdp_md *ctx)
{
	struct value total = {};

	bpf_for_each_map_elem(&hash, each_of_each, &total, 0);
	return total.first ? XDP_PASS : XDP_DROP;
}
