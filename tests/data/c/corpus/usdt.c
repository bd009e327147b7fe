/* Probes that a program of user space declares, and many functions at once. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

SEC("usdt/./server:group:request")
int on_request(struct pt_regs *ctx)
{
	return bpf_get_attach_cookie(ctx) != 0;
}

SEC("kprobe.multi/tcp_*")
int many(struct pt_regs *ctx)
{
	return 0;
}

SEC("kretprobe.multi/tcp_*")
int many_returns(struct pt_regs *ctx)
{
	return 0;
}

SEC("kretsyscall/unlinkat")
int on_return(struct pt_regs *ctx)
{
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
