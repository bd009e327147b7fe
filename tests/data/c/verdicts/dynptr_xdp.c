// Packets of XDP programs through dynptrs, across their fragments.
#define BPF_NO_KFUNC_PROTOTYPES
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char _license[] SEC("license") = "GPL";

extern int bpf_dynptr_from_xdp(struct xdp_md *xdp, u64 flags, struct bpf_dynptr *ptr) __ksym;
extern void *bpf_dynptr_slice(const struct bpf_dynptr *ptr, u32 offset, void *buffer,
			      u32 buffer__szk) __ksym;
extern void *bpf_dynptr_slice_rdwr(const struct bpf_dynptr *ptr, u32 offset, void *buffer,
				   u32 buffer__szk) __ksym;

static __noinline int parse(const struct bpf_dynptr *packet, __u32 offset)
{
	struct iphdr buffer, *ip;

	ip = bpf_dynptr_slice(packet, offset, &buffer, sizeof(buffer));
	if (!ip)
		return -1;
	return ip->protocol;
}

SEC("xdp.frags")
int ok_parsed_in_a_function(struct xdp_md *ctx)
{
	struct bpf_dynptr packet;

	bpf_dynptr_from_xdp(ctx, 0, &packet);
	return parse(&packet, sizeof(struct ethhdr)) == 6 ? XDP_PASS : XDP_DROP;
}

SEC("xdp.frags")
int ok_swapped(struct xdp_md *ctx)
{
	struct bpf_dynptr packet;
	__u8 buffer[12], *bytes, address[6];

	bpf_dynptr_from_xdp(ctx, 0, &packet);
	bytes = bpf_dynptr_slice_rdwr(&packet, 0, buffer, sizeof(buffer));
	if (!bytes)
		return XDP_DROP;
	__builtin_memcpy(address, bytes, 6);
	__builtin_memmove(bytes, bytes + 6, 6);
	__builtin_memcpy(bytes + 6, address, 6);
	if (bytes == buffer)
		bpf_dynptr_write(&packet, 0, buffer, sizeof(buffer), 0);
	return XDP_TX;
}

SEC("xdp.frags")
int ok_a_slice_after_the_packet_was_written(struct xdp_md *ctx)
{
	struct bpf_dynptr packet;
	__u8 byte = 0, *bytes;

	bpf_dynptr_from_xdp(ctx, 0, &packet);
	bytes = bpf_dynptr_slice(&packet, 0, 0, 14);
	if (!bytes)
		return XDP_DROP;
	// Writing into an XDP packet moves nothing.
	bpf_dynptr_write(&packet, 0, &byte, sizeof(byte), 0);
	return bytes[12] ? XDP_PASS : XDP_DROP;
}

SEC("xdp.frags")
int bad_a_slice_after_the_head_moved(struct xdp_md *ctx)
{
	struct bpf_dynptr packet;
	__u8 *bytes;

	bpf_dynptr_from_xdp(ctx, 0, &packet);
	bytes = bpf_dynptr_slice(&packet, 0, 0, 14);
	if (!bytes)
		return XDP_DROP;
	bpf_xdp_adjust_head(ctx, 14);
	return bytes[12] ? XDP_PASS : XDP_DROP;
}

SEC("xdp.frags")
int bad_a_slice_beyond_its_end(struct xdp_md *ctx)
{
	struct bpf_dynptr packet;
	__u8 buffer[14], *bytes;

	bpf_dynptr_from_xdp(ctx, 0, &packet);
	bytes = bpf_dynptr_slice(&packet, 0, buffer, sizeof(buffer));
	return bytes && bytes[14] ? XDP_PASS : XDP_DROP;
}

SEC("xdp.frags")
int bad_direct_data(struct xdp_md *ctx)
{
	struct bpf_dynptr packet;
	__u8 *bytes;

	bpf_dynptr_from_xdp(ctx, 0, &packet);
	// bpf_dynptr_data gives nothing of packets, but the verifier does not know: the size is too small
	bytes = bpf_dynptr_data(&packet, 0, 14);
	return bytes && bytes[14] ? XDP_PASS : XDP_DROP;
}

SEC("xdp.frags")
int bad_not_made(struct xdp_md *ctx)
{
	struct bpf_dynptr packet;
	__u8 *bytes;

	bytes = bpf_dynptr_slice(&packet, 0, 0, 14);
	return bytes ? XDP_PASS : XDP_DROP;
}

SEC("xdp.frags")
int bad_made_of_a_map_value(struct xdp_md *ctx)
{
	static struct bpf_dynptr packet;

	bpf_dynptr_from_xdp(ctx, 0, &packet);
	return XDP_PASS;
}
