/* Kernel functions whose prototypes come with vmlinux.h: a cast, an iterator over tasks. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>
#include <bpf_experimental.h>

SEC("tp_btf/sched_switch")
int BPF_PROG(cast, bool preempt, struct task_struct *prev)
{
	struct task_struct *task = bpf_core_cast(prev, struct task_struct);

	return task->pid + BPF_CORE_READ(task, real_parent, group_leader, pid);
}

SEC("syscall")
int tasks(void *ctx)
{
	struct task_struct *task, *current = bpf_get_current_task_btf();
	int count = 0;

	bpf_rcu_read_lock();
	bpf_for_each(task, task, current, 2)
		count++;
	bpf_rcu_read_unlock();
	bpf_printk("%d tasks beside %d", count, BPF_CORE_READ(current, tgid));
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
