// Functions that bpf_loop calls: what they get, what they may change, how deep they nest.
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char _license[] SEC("license") = "GPL";

struct sums {
	__u64 sum;
	__u32 count;
	__u8 bytes[8];
};

static long add(__u32 index, struct sums *sums)
{
	sums->sum += index;
	sums->count++;
	return 0;
}

SEC("xdp")
int ok_adds(struct xdp_md *ctx)
{
	struct sums sums = {};

	bpf_loop(ctx->rx_queue_index, add, &sums, 0);
	return sums.sum ? XDP_PASS : XDP_DROP;
}

SEC("xdp")
int ok_flags_not_zero(struct xdp_md *ctx)
{
	struct sums sums = {};

	// The helper answers -EINVAL; the verifier does not mind.
	return bpf_loop(10, add, &sums, 1) < 0 ? XDP_DROP : XDP_PASS;
}

SEC("xdp")
int ok_ten_million_rounds(struct xdp_md *ctx)
{
	struct sums sums = {};

	return bpf_loop(10000000, add, &sums, 0) < 0 ? XDP_DROP : XDP_PASS;
}

static long fill(__u32 index, struct sums *sums)
{
	if (index >= sizeof(sums->bytes))
		return 1;
	sums->bytes[index] = index;
	return 0;
}

SEC("xdp")
int ok_fills_an_array(struct xdp_md *ctx)
{
	struct sums sums = {};

	bpf_loop(8, fill, &sums, 0);
	return sums.bytes[3] ? XDP_PASS : XDP_DROP;
}

static long fill_unchecked(__u32 index, struct sums *sums)
{
	sums->bytes[index] = index;
	return 0;
}

SEC("xdp")
int bad_fills_an_array_unchecked(struct xdp_md *ctx)
{
	struct sums sums = {};

	bpf_loop(8, fill_unchecked, &sums, 0);
	return sums.bytes[3] ? XDP_PASS : XDP_DROP;
}

static long inner(__u32 index, __u64 *count)
{
	++*count;
	return 0;
}

static long outer(__u32 index, __u64 *count)
{
	bpf_loop(5, inner, count, 0);
	return 0;
}

SEC("xdp")
int ok_nested(struct xdp_md *ctx)
{
	__u64 count = 0;

	bpf_loop(1000, outer, &count, 0);
	return XDP_PASS;
}

static long returns_its_index(__u32 index, void *ctx)
{
	return index;
}

SEC("xdp")
int bad_returns_its_index(struct xdp_md *ctx)
{
	bpf_loop(2, returns_its_index, 0, 0);
	return XDP_PASS;
}

static long leaks_its_stack(__u32 index, void **pointer)
{
	__u64 word = index;

	*pointer = &word;
	return 0;
}

SEC("xdp")
int bad_stores_its_stack_in_its_caller_s(struct xdp_md *ctx)
{
	void *pointer = 0;

	bpf_loop(2, leaks_its_stack, &pointer, 0);
	return pointer ? XDP_PASS : XDP_DROP;
}

struct packet {
	struct xdp_md *ctx;
	__u8 *data, *end;
};

static long moves_the_head(__u32 index, struct packet *packet)
{
	return bpf_xdp_adjust_head(packet->ctx, 4) != 0;
}

SEC("xdp")
int bad_packet_pointers_after_the_head_moved(struct xdp_md *ctx)
{
	struct packet packet = {ctx, (void *)(long)ctx->data, (void *)(long)ctx->data_end};

	if (packet.data + 14 > packet.end)
		return XDP_DROP;
	bpf_loop(2, moves_the_head, &packet, 0);
	return packet.data[0];
}

static long sums_the_packet(__u32 index, struct packet *packet)
{
	__u8 *at = packet->data;

	if (index > 1500 || at + index + 1 > packet->end)
		return 1;
	return at[index] == 7;
}

SEC("xdp")
int ok_packet_pointers_in_a_function(struct xdp_md *ctx)
{
	struct packet packet = {ctx, (void *)(long)ctx->data, (void *)(long)ctx->data_end};

	bpf_loop(1500, sums_the_packet, &packet, 0);
	return XDP_PASS;
}
