// Dynptrs that global functions get: of any kind, initialised, and constant there.
#define BPF_NO_KFUNC_PROTOTYPES
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char _license[] SEC("license") = "GPL";

extern int bpf_dynptr_from_xdp(struct xdp_md *xdp, u64 flags, struct bpf_dynptr *ptr) __ksym;
extern u32 bpf_dynptr_size(const struct bpf_dynptr *ptr) __ksym;
extern void *bpf_dynptr_slice(const struct bpf_dynptr *ptr, u32 offset, void *buffer,
			      u32 buffer__szk) __ksym;

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} events SEC(".maps");

char buffer[64];

__noinline int protocol(const struct bpf_dynptr *packet, __u32 offset)
{
	struct iphdr space, *ip = bpf_dynptr_slice(packet, offset, &space, sizeof(space));

	return ip ? ip->protocol : -1;
}

SEC("xdp")
int ok_of_a_packet(struct xdp_md *ctx)
{
	struct bpf_dynptr packet;

	bpf_dynptr_from_xdp(ctx, 0, &packet);
	return protocol(&packet, 14) == 6 ? XDP_PASS : XDP_DROP;
}

SEC("xdp")
int ok_of_memory(struct xdp_md *ctx)
{
	struct bpf_dynptr memory;

	bpf_dynptr_from_mem(buffer, sizeof(buffer), 0, &memory);
	return protocol(&memory, 0) == 6 ? XDP_PASS : XDP_DROP;
}

SEC("xdp")
int bad_of_nothing(struct xdp_md *ctx)
{
	struct bpf_dynptr nothing;

	return protocol(&nothing, 0) == 6 ? XDP_PASS : XDP_DROP;
}

SEC("xdp")
int bad_of_no_dynptr(struct xdp_md *ctx)
{
	return protocol((void *)ctx, 0) == 6 ? XDP_PASS : XDP_DROP;
}

__noinline int inner(const struct bpf_dynptr *memory)
{
	return bpf_dynptr_size(memory);
}

__noinline int outer(const struct bpf_dynptr *memory)
{
	return inner(memory) + 1;
}

SEC("xdp")
int ok_handed_on(struct xdp_md *ctx)
{
	struct bpf_dynptr memory;

	bpf_dynptr_from_mem(buffer, sizeof(buffer), 0, &memory);
	return outer(&memory) ? XDP_PASS : XDP_DROP;
}

__noinline int give_back(const struct bpf_dynptr *record)
{
	bpf_ringbuf_submit_dynptr(record, 0);
	return 0;
}

SEC("xdp")
int bad_given_back_there(struct xdp_md *ctx)
{
	struct bpf_dynptr record;

	bpf_ringbuf_reserve_dynptr(&events, 8, 0, &record);
	give_back(&record);
	return XDP_PASS;
}

__noinline int reserve(struct bpf_dynptr *record)
{
	bpf_ringbuf_reserve_dynptr(&events, 8, 0, record);
	return 0;
}

SEC("xdp")
int bad_made_there(struct xdp_md *ctx)
{
	struct bpf_dynptr record;

	bpf_dynptr_from_mem(buffer, sizeof(buffer), 0, &record);
	reserve(&record);
	return XDP_PASS;
}

__noinline int peek(const struct bpf_dynptr *memory)
{
	return *(volatile int *)memory;
}

SEC("xdp")
int bad_read_there(struct xdp_md *ctx)
{
	struct bpf_dynptr memory;

	bpf_dynptr_from_mem(buffer, sizeof(buffer), 0, &memory);
	return peek(&memory) ? XDP_PASS : XDP_DROP;
}
