/* Numbers without the bounds that their use needs: what docs/rejections explains. */
#include "vmlinux.h"
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

char _license[] SEC("license") = "GPL";

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16);
	__type(key, __u32);
	__type(value, __u64[4]);
} counts SEC(".maps");

SEC("xdp")
int bad_packet_offset(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data;
	void *data_end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = data;

	if ((void *)(eth + 1) > data_end)
		return XDP_PASS;
	if (eth->h_proto != bpf_htons(0x0800))
		return XDP_PASS;
	struct iphdr *ip = (void *)(eth + 1);
	if ((void *)(ip + 1) > data_end)
		return XDP_PASS;
	struct tcphdr *tcp = (void *)ip + ip->ihl * 4;
	if (tcp->dest == bpf_htons(80))
		return XDP_DROP;
	return XDP_PASS;
}

SEC("xdp")
int ok_packet_offset(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data;
	void *data_end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = data;

	if ((void *)(eth + 1) > data_end)
		return XDP_PASS;
	if (eth->h_proto != bpf_htons(0x0800))
		return XDP_PASS;
	struct iphdr *ip = (void *)(eth + 1);
	if ((void *)(ip + 1) > data_end)
		return XDP_PASS;
	struct tcphdr *tcp = (void *)ip + ip->ihl * 4;
	if ((void *)(tcp + 1) > data_end)
		return XDP_PASS;
	if (tcp->dest == bpf_htons(80))
		return XDP_DROP;
	return XDP_PASS;
}

SEC("xdp")
int bad_map_index(struct xdp_md *ctx)
{
	__u32 key = ctx->ingress_ifindex;
	__u64 *value = bpf_map_lookup_elem(&counts, &key);
	if (!value)
		return XDP_PASS;
	__u32 queue = ctx->rx_queue_index;
	if (queue > 4)
		return XDP_DROP;
	value[queue] += 1;
	return XDP_PASS;
}

SEC("xdp")
int ok_map_index(struct xdp_md *ctx)
{
	__u32 key = ctx->ingress_ifindex;
	__u64 *value = bpf_map_lookup_elem(&counts, &key);
	if (!value)
		return XDP_PASS;
	__u32 queue = ctx->rx_queue_index;
	if (queue > 3)
		return XDP_DROP;
	value[queue] += 1;
	return XDP_PASS;
}

SEC("tc")
int bad_size(struct __sk_buff *skb)
{
	char room[64] = {};
	__u32 size = skb->len;

	return bpf_skb_load_bytes(skb, 0, room, size) < 0 ? 0 : room[0];
}

SEC("tc")
int ok_size(struct __sk_buff *skb)
{
	char room[64] = {};
	__u32 size = skb->len;

	size &= sizeof(room) - 1;
	if (size == 0)
		return 0;
	return bpf_skb_load_bytes(skb, 0, room, size) < 0 ? 0 : room[0];
}

SEC("cgroup_skb/ingress")
int bad_result(struct __sk_buff *skb)
{
	return skb->len;
}

SEC("cgroup_skb/ingress")
int ok_result(struct __sk_buff *skb)
{
	return skb->len > 1000;
}
