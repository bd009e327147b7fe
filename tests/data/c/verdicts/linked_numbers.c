<<<<<<< HEAD
// Numbers a constant apart: what is learned of one is known of the other.
=======
// Copies, and numbers a constant apart: what a comparison proves of one holds for the other.
>>>>>>> 4a9afac (tests: C programs with stack slots and linked numbers; proofs: a mutant's new text)
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char _license[] SEC("license") = "GPL";

<<<<<<< HEAD
volatile unsigned char table[64];

SEC("xdp")
int ok_the_sum_was_checked(struct xdp_md *ctx)
{
	__u32 i = bpf_get_prandom_u32();
	__u64 at = i, next;

	asm volatile("%0 = %1; %0 += 8" : "=r"(next) : "r"(at));
	if (next > 64)
		return 0;
	return table[at];
}

SEC("xdp")
int bad_the_sum_allows_more(struct xdp_md *ctx)
{
	__u32 i = bpf_get_prandom_u32();
	__u64 at = i, next;

	asm volatile("%0 = %1; %0 += 8" : "=r"(next) : "r"(at));
	if (next > 72)
		return 0;
	return table[at];
=======
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
>>>>>>> 4a9afac (tests: C programs with stack slots and linked numbers; proofs: a mutant's new text)
}
