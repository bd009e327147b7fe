/* Programs that stand for functions of the kernel have a GPL-compatible license. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

SEC("struct_ops/bad_license")
int BPF_PROG(bad_license, struct bpf_dummy_ops_state *state)
{
	return 0;
}

SEC("xdp")
int ok_license(struct xdp_md *ctx)
{
	return XDP_PASS;
}

SEC(".struct_ops")
struct bpf_dummy_ops ops = {
	.test_1 = (void *)bad_license,
};

char LICENSE[] SEC("license") = "Proprietary";
