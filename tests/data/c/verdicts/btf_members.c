/* Members of kernel structs: nested, arrays of characters, holes, ends. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

SEC("tp_btf/sched_switch")
int BPF_PROG(ok_members, bool preempt, struct task_struct *prev, struct task_struct *next)
{
	u64 last = *(u64 *)&prev->comm[8];

	return prev->pid + next->se.vruntime + prev->comm[3] + (last & 1) + preempt;
}

SEC("tp_btf/sched_switch")
int BPF_PROG(bad_beyond_array, bool preempt, struct task_struct *prev)
{
	return *(volatile u64 *)&prev->comm[12] != 0;
}

SEC("tp_btf/sched_switch")
int BPF_PROG(bad_beyond_struct, bool preempt, struct task_struct *prev)
{
	return *(u64 *)(prev + 1);
}

SEC("tp_btf/sched_switch")
int BPF_PROG(bad_before_struct, bool preempt, struct task_struct *prev)
{
	return *((u64 *)prev - 1);
}

SEC("tp_btf/sched_switch")
int BPF_PROG(bad_store, bool preempt, struct task_struct *prev)
{
	prev->pid = 1;
	return 0;
}

SEC("tp_btf/sched_switch")
int BPF_PROG(bad_half_a_pointer, bool preempt, struct task_struct *prev)
{
	return *(u32 *)&prev->real_parent;
}

char LICENSE[] SEC("license") = "GPL";
