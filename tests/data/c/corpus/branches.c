/* Constants set before load decide which code is there: the rest is never verified. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

enum mode { OFF, COUNT, DROP };

const volatile enum mode mode = COUNT;
const volatile _Bool strict;
const volatile __s64 offset = -7;
__u64 counted;

SEC("xdp")
int act(struct xdp_md *ctx)
{
	if (strict)
		return *(volatile int *)0;
	switch (mode) {
	case COUNT:
		counted += offset;
		return XDP_PASS;
	case DROP:
		return XDP_DROP;
	default:
		return XDP_PASS;
	}
}

char LICENSE[] SEC("license") = "GPL";
