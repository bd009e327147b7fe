/* What declared tags say of arguments: a context, a pointer that is never null. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

#ifndef __arg_ctx
#define __arg_ctx __attribute__((btf_decl_tag("arg:ctx")))
#endif
#ifndef __arg_nonnull
#define __arg_nonnull __attribute__((btf_decl_tag("arg:nonnull")))
#endif

__noinline int shift(void *ctx __arg_ctx, u32 *by __arg_nonnull)
{
	asm volatile("" : "+r"(ctx)); /* or the compiler passes nothing */
	*by += 1;
	return bpf_get_smp_processor_id();
}

SEC("xdp")
int use(struct xdp_md *ctx)
{
	u32 by = 3;

	return shift(ctx, &by) + by > 2 ? XDP_PASS : XDP_DROP;
}

SEC("tc")
int use_too(struct __sk_buff *skb)
{
	u32 by = 4;

	return shift(skb, &by);
}

char LICENSE[] SEC("license") = "GPL";
