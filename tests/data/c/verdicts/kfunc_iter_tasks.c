/* Iterators over the kernel's own objects, which only an RCU section keeps. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

int seen;

SEC("syscall")
int ok_tasks(void *ctx)
{
	struct bpf_iter_task it;
	struct task_struct *task;

	bpf_rcu_read_lock();
	bpf_iter_task_new(&it, 0, 0);
	while ((task = bpf_iter_task_next(&it)))
		seen += task->pid;
	bpf_iter_task_destroy(&it);
	bpf_rcu_read_unlock();
	return 0;
}

SEC("syscall")
int bad_without_section(void *ctx)
{
	struct bpf_iter_task it;

	bpf_iter_task_new(&it, 0, 0);
	bpf_iter_task_destroy(&it);
	return 0;
}

SEC("syscall")
int bad_next_behind_section(void *ctx)
{
	struct bpf_iter_task it;

	bpf_rcu_read_lock();
	bpf_iter_task_new(&it, 0, 0);
	bpf_rcu_read_unlock();
	bpf_rcu_read_lock();
	bpf_iter_task_next(&it);
	bpf_iter_task_destroy(&it);
	bpf_rcu_read_unlock();
	return 0;
}

SEC("syscall")
int bad_element_behind_section(void *ctx)
{
	struct bpf_iter_task it;
	struct task_struct *task, *held;

	bpf_rcu_read_lock();
	bpf_iter_task_new(&it, 0, 0);
	task = bpf_iter_task_next(&it);
	bpf_iter_task_destroy(&it);
	bpf_rcu_read_unlock();
	if (!task)
		return 0;
	held = bpf_task_acquire(task);
	if (held)
		bpf_task_release(held);
	return 0;
}

SEC("syscall")
int ok_element_acquired(void *ctx)
{
	struct bpf_iter_task it;
	struct task_struct *task, *held = 0;

	bpf_rcu_read_lock();
	bpf_iter_task_new(&it, 0, 0);
	task = bpf_iter_task_next(&it);
	if (task)
		held = bpf_task_acquire(task);
	bpf_iter_task_destroy(&it);
	bpf_rcu_read_unlock();
	if (held)
		bpf_task_release(held);
	return 0;
}

SEC("syscall")
int bad_maybe_null_argument(void *ctx)
{
	struct task_struct *task = bpf_task_from_pid(1);
	struct bpf_iter_task it;

	bpf_rcu_read_lock();
	bpf_iter_task_new(&it, task, 2);
	bpf_iter_task_destroy(&it);
	bpf_rcu_read_unlock();
	if (task)
		bpf_task_release(task);
	return 0;
}

SEC("syscall")
int ok_threads_of_one(void *ctx)
{
	struct task_struct *task = bpf_task_from_pid(1), *thread;
	struct bpf_iter_task it;

	if (!task)
		return 0;
	bpf_rcu_read_lock();
	bpf_iter_task_new(&it, task, 2);
	while ((thread = bpf_iter_task_next(&it)))
		seen++;
	bpf_iter_task_destroy(&it);
	bpf_rcu_read_unlock();
	bpf_task_release(task);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
