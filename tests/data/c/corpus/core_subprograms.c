/* Relocations in functions that are not programs, in .text and beside them. */
#include "vmlinux.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

static __noinline int parent_of(struct task_struct *task)
{
	return BPF_CORE_READ(task, real_parent, pid);
}

__noinline int flags_of(u64 address)
{
	struct task_struct *task = (void *)address;

	return BPF_CORE_READ(task, flags);
}

SEC("raw_tp/sys_enter")
int one(void *ctx)
{
	return parent_of((void *)bpf_get_current_task());
}

SEC("raw_tp/sys_exit")
int two(void *ctx)
{
	u64 task = bpf_get_current_task();

	return flags_of(task) + parent_of((void *)task);
}

char LICENSE[] SEC("license") = "GPL";
