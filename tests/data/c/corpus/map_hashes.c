/* Hash tables with every flag that a program can ask for. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct key {
	__u32 address;
	__u16 port;
	__u16 zone;
};

struct value {
	__u64 packets, bytes;
	char note[20];
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 100);
	__type(key, struct key);
	__type(value, struct value);
	__uint(map_flags, BPF_F_NO_PREALLOC | BPF_F_ZERO_SEED);
} sparse SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 64);
	__type(key, struct key);
	__type(value, struct value);
	__uint(map_flags, BPF_F_NO_COMMON_LRU);
} recent SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_PERCPU_HASH);
	__uint(max_entries, 64);
	__type(key, __u32);
	__type(value, struct value);
} recent_here SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, 32);
	__uint(key_size, 6);
	__uint(value_size, 13);
} here SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 10);
	__type(key, __u8);
	__type(value, __u8);
	__uint(map_flags, BPF_F_RDONLY_PROG | BPF_F_NUMA_NODE);
	__uint(numa_node, 0);
} settings SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4);
	__type(key, __u64);
	__type(value, __u64);
	__uint(map_flags, BPF_F_WRONLY_PROG);
} a_name_longer_than_fifteen_characters SEC(".maps");

SEC("tc")
int use(struct __sk_buff *skb)
{
	struct key key = {.address = skb->hash, .port = skb->vlan_tci};
	__u8 small[6] = {1}, byte = 3, *found;
	__u64 wide = 5;
	struct value value = {}, *known;

	known = bpf_map_lookup_elem(&sparse, &key);
	if (known)
		value = *known;
	bpf_map_update_elem(&recent, &key, &value, BPF_ANY);
	bpf_map_update_elem(&recent_here, &key.address, &value, BPF_ANY);
	bpf_map_delete_elem(&here, small);
	bpf_map_update_elem(&a_name_longer_than_fifteen_characters, &wide, &wide, BPF_EXIST);
	found = bpf_map_lookup_elem(&settings, &byte);
	return found ? *found : 0;
}

char LICENSE[] SEC("license") = "GPL";
