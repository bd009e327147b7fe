/* Functions of the kernel: acquired and released, open-coded iterators, in sleepable programs. */
#define BPF_NO_KFUNC_PROTOTYPES
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

extern struct task_struct *bpf_task_acquire(struct task_struct *p) __ksym;
extern void bpf_task_release(struct task_struct *p) __ksym;
extern struct task_struct *bpf_task_from_pid(s32 pid) __ksym;
extern void bpf_rcu_read_lock(void) __ksym;
extern void bpf_rcu_read_unlock(void) __ksym;
extern int bpf_iter_num_new(struct bpf_iter_num *it, int start, int end) __ksym;
extern int *bpf_iter_num_next(struct bpf_iter_num *it) __ksym;
extern void bpf_iter_num_destroy(struct bpf_iter_num *it) __ksym;

SEC("tp_btf/task_newtask")
int BPF_PROG(on_task, struct task_struct *task, u64 clone_flags)
{
	struct task_struct *held = bpf_task_acquire(task);

	if (held)
		bpf_task_release(held);
	return 0;
}

SEC("syscall")
int look(void *ctx)
{
	struct task_struct *task, *parent;
	int pid = 0;

	task = bpf_task_from_pid(1);
	if (!task)
		return -1;
	bpf_rcu_read_lock();
	parent = task->real_parent;
	if (parent)
		pid = parent->pid;
	bpf_rcu_read_unlock();
	bpf_task_release(task);
	return pid;
}

SEC("tc")
int sum(struct __sk_buff *skb)
{
	struct bpf_iter_num numbers;
	int *number, total = 0;

	bpf_iter_num_new(&numbers, 0, 10);
	while ((number = bpf_iter_num_next(&numbers)))
		total += *number;
	bpf_iter_num_destroy(&numbers);
	return total;
}

char LICENSE[] SEC("license") = "GPL";
