// Copies, and numbers a constant apart: what a comparison proves of one holds for the other.
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char _license[] SEC("license") = "GPL";

char bytes[16];

#define GET(index)                                                                                 \
	({                                                                                         \
		unsigned long at = (index);                                                        \
		char *where = bytes;                                                               \
		asm volatile("%0 += %1" : "+r"(where) : "r"(at));                                  \
		*where;                                                                            \
	})

SEC("xdp")
int ok_copy(struct xdp_md *ctx)
{
	unsigned long index = ctx->rx_queue_index, copy;

	asm volatile("%0 = %1" : "=r"(copy) : "r"(index));
	if (copy > 15)
		return XDP_PASS;
	return GET(index);
}

SEC("xdp")
int ok_apart(struct xdp_md *ctx)
{
	unsigned long index = ctx->rx_queue_index, more;

	asm volatile("%0 = %1; %0 += 4" : "=r"(more) : "r"(index));
	if (index > 11)
		return XDP_PASS;
	return GET(more);
}

SEC("xdp")
int bad_apart(struct xdp_md *ctx)
{
	unsigned long index = ctx->rx_queue_index, more;

	asm volatile("%0 = %1; %0 += 4" : "=r"(more) : "r"(index));
	if (index > 12)
		return XDP_PASS;
	return GET(more);
}

SEC("xdp")
int bad_changed_in_between(struct xdp_md *ctx)
{
	unsigned long index = ctx->rx_queue_index, copy;

	asm volatile("%0 = %1; %0 >>= 1" : "=r"(copy) : "r"(index));
	if (copy > 15)
		return XDP_PASS;
	return GET(index);
}
