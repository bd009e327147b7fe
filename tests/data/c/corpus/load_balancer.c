/* A small balancer as people write them: parsing, hashing, a rewritten packet, counters. */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/udp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define BACKENDS 4

struct backend {
	__be32 address;
	unsigned char mac[ETH_ALEN];
	__u16 weight;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, BACKENDS);
	__type(key, __u32);
	__type(value, struct backend);
} backends SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, __u64);
	__type(value, __u32);
} flows SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 3);
	__type(key, __u32);
	__type(value, __u64);
} counters SEC(".maps");

enum { PASSED, SENT, FAILED };

const volatile __be32 vip = bpf_htonl(0xc0a80001);

static __always_inline int count(__u32 what, int verdict)
{
	__u64 *counter = bpf_map_lookup_elem(&counters, &what);

	if (counter)
		*counter += 1;
	return verdict;
}

static __always_inline __u16 fold(__u64 sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return ~sum;
}

static __noinline __u32 choose(__u64 flow)
{
	__u32 *known = bpf_map_lookup_elem(&flows, &flow);
	__u32 chosen;

	if (known)
		return *known;
	chosen = (flow * 0x9e3779b97f4a7c15ULL >> 32) % BACKENDS;
	bpf_map_update_elem(&flows, &flow, &chosen, BPF_ANY);
	return chosen;
}

SEC("xdp")
int balance(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = data;
	struct iphdr *ip = (void *)(eth + 1);
	struct udphdr *udp = (void *)(ip + 1);
	struct backend *backend;
	__u64 sum = 0;
	__u32 which;
	int i;

	if ((void *)(udp + 1) > end || eth->h_proto != bpf_htons(ETH_P_IP))
		return count(PASSED, XDP_PASS);
	if (ip->ihl != 5 || ip->protocol != IPPROTO_UDP || ip->daddr != vip)
		return count(PASSED, XDP_PASS);
	which = choose((__u64)ip->saddr << 32 | udp->source << 16 | udp->dest);
	backend = bpf_map_lookup_elem(&backends, &which);
	if (!backend || !backend->address)
		return count(FAILED, XDP_DROP);
	__builtin_memcpy(eth->h_dest, backend->mac, ETH_ALEN);
	ip->daddr = backend->address;
	ip->check = 0;
#pragma clang loop unroll(full)
	for (i = 0; i < 10; i++)
		sum += ((__u16 *)ip)[i];
	ip->check = fold(sum);
	udp->check = 0;
	return count(SENT, XDP_TX);
}

char LICENSE[] SEC("license") = "GPL";
