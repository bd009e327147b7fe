// Packets of sk_buff programs through dynptrs: read-only and writable slices, and what voids them.
#define BPF_NO_KFUNC_PROTOTYPES
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char _license[] SEC("license") = "GPL";

extern int bpf_dynptr_from_skb(struct __sk_buff *skb, u64 flags, struct bpf_dynptr *ptr) __ksym;
extern void *bpf_dynptr_slice(const struct bpf_dynptr *ptr, u32 offset, void *buffer,
			      u32 buffer__szk) __ksym;
extern void *bpf_dynptr_slice_rdwr(const struct bpf_dynptr *ptr, u32 offset, void *buffer,
				   u32 buffer__szk) __ksym;

SEC("tc")
int ok_read(struct __sk_buff *skb)
{
	struct bpf_dynptr packet;
	struct ethhdr buffer, *eth;

	if (bpf_dynptr_from_skb(skb, 0, &packet))
		return 2;
	eth = bpf_dynptr_slice(&packet, 0, &buffer, sizeof(buffer));
	return eth ? eth->h_proto : 2;
}

SEC("tc")
int ok_written(struct __sk_buff *skb)
{
	struct bpf_dynptr packet;
	struct ethhdr buffer, *eth;

	bpf_dynptr_from_skb(skb, 0, &packet);
	eth = bpf_dynptr_slice_rdwr(&packet, 0, &buffer, sizeof(buffer));
	if (!eth)
		return 2;
	eth->h_proto = 0;
	if (eth == &buffer)
		bpf_dynptr_write(&packet, 0, eth, sizeof(*eth), 0);
	return 0;
}

SEC("tc")
int bad_a_read_only_slice_written(struct __sk_buff *skb)
{
	struct bpf_dynptr packet;
	struct ethhdr buffer, *eth;

	bpf_dynptr_from_skb(skb, 0, &packet);
	eth = bpf_dynptr_slice(&packet, 0, &buffer, sizeof(buffer));
	if (eth)
		eth->h_proto = 0;
	return 0;
}

SEC("tc")
int bad_a_slice_after_the_packet_was_written(struct __sk_buff *skb)
{
	struct bpf_dynptr packet;
	struct ethhdr buffer = {}, *eth;

	bpf_dynptr_from_skb(skb, 0, &packet);
	eth = bpf_dynptr_slice(&packet, 0, &buffer, sizeof(buffer));
	if (!eth)
		return 2;
	bpf_dynptr_write(&packet, 0, &buffer, sizeof(buffer), 0);
	return eth->h_proto;
}

SEC("tc")
int bad_a_slice_after_the_packet_grew(struct __sk_buff *skb)
{
	struct bpf_dynptr packet;
	struct ethhdr *eth;

	bpf_dynptr_from_skb(skb, 0, &packet);
	eth = bpf_dynptr_slice(&packet, 0, 0, sizeof(*eth));
	if (!eth)
		return 2;
	bpf_skb_change_tail(skb, skb->len + 8, 0);
	return eth->h_proto;
}

SEC("tc")
int ok_the_dynptr_after_the_packet_grew(struct __sk_buff *skb)
{
	struct bpf_dynptr packet;
	struct ethhdr *eth;

	bpf_dynptr_from_skb(skb, 0, &packet);
	bpf_skb_change_tail(skb, skb->len + 8, 0);
	eth = bpf_dynptr_slice(&packet, 0, 0, sizeof(*eth));
	return eth ? eth->h_proto : 2;
}

SEC("tc")
int bad_packet_pointers_after_the_dynptr_was_written(struct __sk_buff *skb)
{
	struct bpf_dynptr packet;
	__u8 byte = 0, *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;

	if (data + 14 > end)
		return 2;
	bpf_dynptr_from_skb(skb, 0, &packet);
	bpf_dynptr_write(&packet, 0, &byte, sizeof(byte), 0);
	return data[12];
}

SEC("cgroup_skb/egress")
int ok_read_only_programs_read(struct __sk_buff *skb)
{
	struct bpf_dynptr packet;
	__u8 *byte;

	bpf_dynptr_from_skb(skb, 0, &packet);
	byte = bpf_dynptr_slice(&packet, 0, 0, 1);
	return byte && *byte == 0x45;
}

SEC("cgroup_skb/egress")
int bad_read_only_programs_write(struct __sk_buff *skb)
{
	struct bpf_dynptr packet;
	__u8 *byte;

	bpf_dynptr_from_skb(skb, 0, &packet);
	byte = bpf_dynptr_slice_rdwr(&packet, 0, 0, 1);
	return byte && *byte == 0x45;
}

SEC("xdp")
int bad_in_another_kind_of_program(struct xdp_md *ctx)
{
	struct bpf_dynptr packet;

	bpf_dynptr_from_skb((void *)ctx, 0, &packet);
	return XDP_PASS;
}
