/* A map that lives on under its name, and one that does not. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16);
	__type(key, __u32);
	__type(value, __u64);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} kept SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
	__uint(pinning, LIBBPF_PIN_NONE);
} forgotten SEC(".maps");

SEC("xdp")
int use(struct xdp_md *ctx)
{
	__u32 zero = 0;
	__u64 *first = bpf_map_lookup_elem(&kept, &zero);
	__u64 *second = bpf_map_lookup_elem(&forgotten, &zero);

	if (first && second)
		*first += *second;
	return XDP_PASS;
}

char LICENSE[] SEC("license") = "GPL";
