/* Refused: data that holds an address. */
#include "bpf.h"

__u32 number;
__u32 *volatile pointer = &number;

SEC("xdp") int program(struct xdp_md *ctx)
{
	return pointer ? XDP_PASS : XDP_DROP;
}
