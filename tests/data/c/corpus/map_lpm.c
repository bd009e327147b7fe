/* Longest prefix match, for IPv4 by a struct and for IPv6 by bytes. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct prefix4 {
	__u32 length;
	__u32 address;
};

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1000);
	__type(key, struct prefix4);
	__type(value, __u32);
} routes4 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1000);
	__uint(key_size, 20);
	__uint(value_size, 4);
} routes6 SEC(".maps");

/* Not a struct: kernels take the map without its types only. */
struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 10);
	__type(key, __u64);
	__type(value, __u32);
} untyped SEC(".maps");

SEC("lwt_in")
int route(struct __sk_buff *skb)
{
	struct prefix4 key = {32, skb->mark};
	__u32 key6[5] = {128, 1, 2, 3, 4};
	__u64 packed = 32;
	__u32 *hop = bpf_map_lookup_elem(&routes4, &key);

	if (!hop)
		hop = bpf_map_lookup_elem(&routes6, key6);
	if (!hop)
		hop = bpf_map_lookup_elem(&untyped, &packed);
	return hop ? BPF_OK : BPF_DROP;
}

char LICENSE[] SEC("license") = "GPL";
