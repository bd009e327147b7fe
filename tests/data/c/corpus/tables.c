/* Tables in read-only data, indexed at run time, of numbers, structs and text. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct port_class {
	__u16 first, last;
	char name[12];
};

static const struct port_class classes[] = {
	{0, 1023, "system"},
	{1024, 49151, "user"},
	{49152, 65534, "dynamic"},
	{65535, 65535, "last"},
};

static const __u8 log2_of[16] = {0, 0, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3, 3, 3};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 3);
	__type(key, __u32);
	__type(value, __u64[4]);
} histogram SEC(".maps");

SEC("socket")
int classify(struct __sk_buff *skb)
{
	__u32 i = skb->ifindex & 3, key = i, port = skb->hash & 0xffff;
	__u64 *buckets;

	if (port < classes[i].first || port > classes[i].last)
		return 0;
	buckets = bpf_map_lookup_elem(&histogram, &key);
	if (buckets)
		buckets[log2_of[skb->len & 15] & 3] += classes[i].name[0];
	return 1;
}

char LICENSE[] SEC("license") = "GPL";
