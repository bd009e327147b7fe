/* What the context of a tracepoint holds, and what not. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

SEC("tp_btf/task_newtask")
int ok_arguments(u64 *ctx)
{
	struct task_struct *task = (void *)ctx[0];

	return task->pid + (int)ctx[1];
}

SEC("tp_btf/task_newtask")
int bad_no_third(u64 *ctx)
{
	return ctx[2] != 0;
}

SEC("tp_btf/task_newtask")
int bad_stored(u64 *ctx)
{
	ctx[1] = 0;
	return 0;
}

SEC("tp_btf/task_newtask")
int bad_half(u64 *ctx)
{
	return *((u32 *)ctx + 1);
}

SEC("tp_btf/task_newtask")
int bad_moved(u64 *ctx)
{
	asm volatile("%[ctx] += 8" : [ctx] "+r"(ctx));
	return ctx[0] != 0;
}

char LICENSE[] SEC("license") = "GPL";
