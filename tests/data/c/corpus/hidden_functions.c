/* A hidden global function is verified like a static one: with what its caller knows. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#ifndef __hidden
#define __hidden __attribute__((visibility("hidden")))
#endif

__hidden __noinline int read_word(void *data, void *end)
{
	if (data + 4 > end)
		return 0;
	return *(int *)data;
}

SEC("xdp")
int use(struct xdp_md *ctx)
{
	return read_word((void *)(long)ctx->data, (void *)(long)ctx->data_end) ? XDP_PASS : XDP_DROP;
}

char LICENSE[] SEC("license") = "GPL";
