/* Many functions of user space at once, and sessions that see both ends of a call. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

SEC("uprobe.multi//lib/x86_64-linux-gnu/libc.so.6:mem*")
int many(struct pt_regs *ctx)
{
	return 0;
}

SEC("uretprobe.multi//lib/x86_64-linux-gnu/libc.so.6:mem*")
int many_returns(struct pt_regs *ctx)
{
	return 0;
}

SEC("uprobe.multi.s//lib/x86_64-linux-gnu/libc.so.6:str*")
int sleepable(struct pt_regs *ctx)
{
	return 0;
}

SEC("uprobe.session//lib/x86_64-linux-gnu/libc.so.6:malloc")
int session(struct pt_regs *ctx)
{
	return 0;
}

SEC("kprobe.session/tcp_*")
int kernel_session(struct pt_regs *ctx)
{
	return 0;
}

SEC("uretprobe.multi.s//lib/x86_64-linux-gnu/libc.so.6:str*")
int sleepable_returns(struct pt_regs *ctx)
{
	return 0;
}

SEC("uprobe.session.s//lib/x86_64-linux-gnu/libc.so.6:free")
int sleepable_session(struct pt_regs *ctx)
{
	return 0;
}

SEC("usdt.s/./server:group:request")
int on_request(struct pt_regs *ctx)
{
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
