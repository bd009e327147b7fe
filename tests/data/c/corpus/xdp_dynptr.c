/* A packet read and written through a dynptr, across its fragments. */
#define BPF_NO_KFUNC_PROTOTYPES
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

extern int bpf_dynptr_from_xdp(struct xdp_md *xdp, u64 flags, struct bpf_dynptr *ptr) __ksym;
extern int bpf_dynptr_adjust(const struct bpf_dynptr *ptr, u64 start, u64 end) __ksym;
extern u64 bpf_dynptr_size(const struct bpf_dynptr *ptr) __ksym;
extern int bpf_dynptr_clone(const struct bpf_dynptr *ptr, struct bpf_dynptr *clone) __ksym;

SEC("xdp.frags")
int mark(struct xdp_md *ctx)
{
	struct bpf_dynptr packet, copy;
	u8 mac[6] = {2, 0, 0, 0, 0, 1};

	if (bpf_dynptr_from_xdp(ctx, 0, &packet) || bpf_dynptr_clone(&packet, &copy))
		return XDP_ABORTED;
	if (bpf_dynptr_adjust(&copy, 6, 12))
		return XDP_DROP;
	bpf_dynptr_write(&copy, 0, mac, sizeof(mac), 0);
	return bpf_dynptr_size(&copy) == 6 ? XDP_PASS : XDP_DROP;
}

char LICENSE[] SEC("license") = "GPL";
