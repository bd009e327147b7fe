/* Refused: a function that only the kernel could define. */
#include "bpf.h"

extern int bpf_ktime_helper(void) SEC(".ksyms");

SEC("xdp") int external(struct xdp_md *ctx)
{
	return bpf_ktime_helper();
}
