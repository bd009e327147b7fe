// Dynptrs of packets on hooks where the packet is the kernel's struct, not a context.
#define BPF_NO_KFUNC_PROTOTYPES
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

char _license[] SEC("license") = "GPL";

extern int bpf_dynptr_from_skb(struct __sk_buff *skb, u64 flags, struct bpf_dynptr *ptr) __ksym;
extern void *bpf_dynptr_slice(const struct bpf_dynptr *ptr, u32 offset, void *buffer,
			      u32 buffer__szk) __ksym;
extern void *bpf_dynptr_slice_rdwr(const struct bpf_dynptr *ptr, u32 offset, void *buffer,
				   u32 buffer__szk) __ksym;
extern int bpf_probe_read_kernel_dynptr(struct bpf_dynptr *ptr, u32 off, u32 size,
					const void *address) __ksym;

int version;
char buffer[64];

SEC("netfilter")
int ok_netfilter(struct bpf_nf_ctx *ctx)
{
	struct bpf_dynptr packet;
	struct iphdr space, *ip;

	if (bpf_dynptr_from_skb((struct __sk_buff *)ctx->skb, 0, &packet))
		return 1;
	ip = bpf_dynptr_slice(&packet, 0, &space, sizeof(space));
	if (ip)
		version = ip->version;
	return 1;
}

SEC("netfilter")
int bad_netfilter_writes(struct bpf_nf_ctx *ctx)
{
	struct bpf_dynptr packet;
	struct iphdr space, *ip;

	bpf_dynptr_from_skb((struct __sk_buff *)ctx->skb, 0, &packet);
	ip = bpf_dynptr_slice_rdwr(&packet, 0, &space, sizeof(space));
	if (ip)
		ip->ttl = 1;
	return 1;
}

SEC("tp_btf/kfree_skb")
int BPF_PROG(ok_tracepoint, void *skb, void *location)
{
	struct bpf_dynptr packet;
	__u8 *byte;

	if (bpf_dynptr_from_skb(skb, 0, &packet))
		return 0;
	byte = bpf_dynptr_slice(&packet, 0, 0, 1);
	if (byte)
		version = *byte;
	return 0;
}

SEC("tp_btf/kfree_skb")
int BPF_PROG(bad_another_struct, struct sk_buff *skb, void *location)
{
	struct bpf_dynptr packet;

	return bpf_dynptr_from_skb((void *)skb->dev, 0, &packet);
}

SEC("tp_btf/kfree_skb")
int BPF_PROG(ok_kernel_memory_read, struct sk_buff *skb, void *location)
{
	struct bpf_dynptr memory;

	bpf_dynptr_from_mem(buffer, sizeof(buffer), 0, &memory);
	return bpf_probe_read_kernel_dynptr(&memory, 0, 64, location) != 0;
}

SEC("tp_btf/kfree_skb")
int BPF_PROG(bad_kernel_memory_read_into_nothing, struct sk_buff *skb, void *location)
{
	struct bpf_dynptr memory;

	return bpf_probe_read_kernel_dynptr(&memory, 0, 64, location) != 0;
}
