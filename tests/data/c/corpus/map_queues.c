/* Maps without keys: queue, stack, bloom filter. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_QUEUE);
	__uint(max_entries, 32);
	__type(value, __u64);
} waiting SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_STACK);
	__uint(max_entries, 16);
	__uint(value_size, 24);
} undo SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_BLOOM_FILTER);
	__uint(max_entries, 1000);
	__type(value, __u32);
	__uint(map_extra, 5);
} visited SEC(".maps");

SEC("socket")
int use(struct __sk_buff *skb)
{
	__u32 hash = skb->hash;
	__u64 item, entry[3] = {skb->len, skb->ifindex, 0};

	if (bpf_map_peek_elem(&visited, &hash))
		bpf_map_push_elem(&visited, &hash, 0);
	if (!bpf_map_pop_elem(&waiting, &item))
		entry[2] = item;
	item = hash;
	bpf_map_push_elem(&waiting, &item, BPF_EXIST);
	return bpf_map_push_elem(&undo, entry, 0);
}

char LICENSE[] SEC("license") = "GPL";
