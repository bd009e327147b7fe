/* A socket filter: loads from the packet the old way, and through a helper. */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <stddef.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

unsigned long long load_half(void *skb, unsigned long long off) asm("llvm.bpf.load.half");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 256);
	__type(key, __u32);
	__type(value, __u64);
} by_protocol SEC(".maps");

SEC("socket")
int count_protocols(struct __sk_buff *skb)
{
	__u8 protocol;
	__u32 key;
	__u64 *bytes;

	if (load_half(skb, offsetof(struct ethhdr, h_proto)) != ETH_P_IP)
		return 0;
	if (bpf_skb_load_bytes(skb, ETH_HLEN + offsetof(struct iphdr, protocol), &protocol, 1))
		return 0;
	key = protocol;
	bytes = bpf_map_lookup_elem(&by_protocol, &key);
	if (bytes)
		__sync_fetch_and_add(bytes, skb->len);
	return skb->pkt_type == 4 ? 0 : -1;
}

char LICENSE[] SEC("license") = "GPL";
