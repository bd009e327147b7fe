/* Which pointers a kernel function may rely on: trusted, kept by RCU, or only looked at. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

SEC("tp_btf/task_newtask")
int BPF_PROG(ok_trusted_argument, struct task_struct *task, u64 flags)
{
	struct task_struct *held = bpf_task_acquire(task);

	if (held)
		bpf_task_release(held);
	return 0;
}

SEC("tp_btf/task_newtask")
int BPF_PROG(ok_kept_by_rcu, struct task_struct *task, u64 flags)
{
	struct task_struct *parent, *held = 0;

	bpf_rcu_read_lock();
	parent = task->real_parent;
	if (parent)
		held = bpf_task_acquire(parent);
	bpf_rcu_read_unlock();
	if (held)
		bpf_task_release(held);
	return 0;
}

SEC("tp_btf/task_newtask")
int BPF_PROG(ok_rcu_not_null, struct task_struct *task, u64 flags)
{
	struct task_struct *held;

	bpf_rcu_read_lock();
	held = bpf_task_acquire(task->real_parent);
	bpf_rcu_read_unlock();
	if (held)
		bpf_task_release(held);
	return 0;
}

SEC("tp_btf/task_newtask")
int BPF_PROG(bad_walked, struct task_struct *task, u64 flags)
{
	struct task_struct *held = bpf_task_acquire(task->last_wakee);

	if (held)
		bpf_task_release(held);
	return 0;
}

SEC("tp_btf/task_newtask")
int BPF_PROG(bad_released_without_reference, struct task_struct *task, u64 flags)
{
	bpf_task_release(task);
	return 0;
}

SEC("tp_btf/task_newtask")
int BPF_PROG(ok_rcu_pointer_where_kept, struct task_struct *task, u64 flags)
{
	return bpf_cpumask_test_cpu(0, task->cpus_ptr);
}

SEC("tp_btf/task_newtask")
int BPF_PROG(bad_signal_to_rcu_pointer, struct task_struct *task, u64 flags)
{
	struct task_struct *parent;

	bpf_rcu_read_lock();
	parent = task->real_parent;
	if (parent)
		bpf_send_signal_task(parent, 10, PIDTYPE_PID, 0);
	bpf_rcu_read_unlock();
	return 0;
}

SEC("tp_btf/task_newtask")
int BPF_PROG(bad_moved_release, struct task_struct *task, u64 flags)
{
	struct task_struct *held = bpf_task_acquire(task);

	if (held)
		bpf_task_release((void *)held + 8);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
