/* Nothing said of its licence, and nothing that asks for one. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("xdp")
int pass(struct xdp_md *ctx)
{
	return bpf_get_smp_processor_id() ? XDP_PASS : XDP_DROP;
}
