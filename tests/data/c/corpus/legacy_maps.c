/* Maps as they were defined before BTF: definitions of two sizes do not mix, so all are long. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct legacy_map {
	unsigned int type;
	unsigned int key_size;
	unsigned int value_size;
	unsigned int max_entries;
	unsigned int map_flags;
};

struct legacy_map SEC("maps") counters = {
	.type = BPF_MAP_TYPE_PERCPU_ARRAY,
	.key_size = 4,
	.value_size = 8,
	.max_entries = 3,
};

struct legacy_map SEC("maps") flows = {
	.type = BPF_MAP_TYPE_HASH,
	.key_size = 12,
	.value_size = 20,
	.max_entries = 50,
	.map_flags = BPF_F_NO_PREALLOC,
};

SEC("xdp")
int use(struct xdp_md *ctx)
{
	__u32 zero = 0, key[3] = {};
	__u64 *count = bpf_map_lookup_elem(&counters, &zero);

	bpf_map_delete_elem(&flows, key);
	if (count)
		++*count;
	return XDP_PASS;
}

char LICENSE[] SEC("license") = "GPL";
