/* A function that takes the place of another program's. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("freplace/policy")
int policy(struct xdp_md *ctx)
{
	return XDP_DROP;
}

char LICENSE[] SEC("license") = "GPL";
