/* Packets and bytes per protocol and per source; every packet passes. As count.py, in C. */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

struct counter {
	__u64 packets;
	__u64 bytes;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 256);
	__type(key, __u32); /* IP protocol number */
	__type(value, struct counter);
} protocols SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, 8192);
	__type(key, __u64); /* IPv4 address or IPv6 /64 */
	__type(value, struct counter);
} talkers SEC(".maps");

__u64 total, other; /* other: neither IPv4 nor IPv6, or cut short */

static void add(void *map, const void *key, __u64 length)
{
	struct counter *counter = bpf_map_lookup_elem(map, key);

	if (counter) {
		counter->packets += 1;
		counter->bytes += length;
	} else {
		struct counter first = { .packets = 1, .bytes = length };

		bpf_map_update_elem(map, key, &first, BPF_ANY);
	}
}

SEC("xdp")
int count_packets(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data;
	void *data_end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = data;
	__u32 protocol;
	__u64 source;

	__sync_fetch_and_add(&total, 1);
	if (data + sizeof(*eth) > data_end)
		goto unknown;
	if (eth->h_proto == bpf_htons(ETH_P_IP)) {
		struct iphdr *ip = data + sizeof(*eth);

		if ((void *)(ip + 1) > data_end)
			goto unknown;
		protocol = ip->protocol;
		source = bpf_ntohl(ip->saddr);
	} else if (eth->h_proto == bpf_htons(ETH_P_IPV6)) {
		struct ipv6hdr *ip6 = data + sizeof(*eth);
		__u64 half;

		if ((void *)(ip6 + 1) > data_end)
			goto unknown;
		protocol = ip6->nexthdr;
		__builtin_memcpy(&half, &ip6->saddr, sizeof(half));
		source = bpf_be64_to_cpu(half);
	} else {
		goto unknown;
	}
	add(&protocols, &protocol, data_end - data);
	add(&talkers, &source, data_end - data);
	return XDP_PASS;

unknown:
	__sync_fetch_and_add(&other, 1);
	return XDP_PASS;
}

char LICENSE[] SEC("license") = "GPL";
