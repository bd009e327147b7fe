/* Loops over kernel objects: tasks, control groups, bits, all by the same three functions. */
#define BPF_NO_KFUNC_PROTOTYPES
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

extern int bpf_iter_task_new(struct bpf_iter_task *it, struct task_struct *task, unsigned int flags) __ksym;
extern struct task_struct *bpf_iter_task_next(struct bpf_iter_task *it) __ksym;
extern void bpf_iter_task_destroy(struct bpf_iter_task *it) __ksym;
extern void bpf_rcu_read_lock(void) __ksym;
extern void bpf_rcu_read_unlock(void) __ksym;

int tasks, kernel_threads;

SEC("syscall")
int count(void *ctx)
{
	struct bpf_iter_task it;
	struct task_struct *task;

	bpf_rcu_read_lock();
	bpf_iter_task_new(&it, 0, 0);
	while ((task = bpf_iter_task_next(&it))) {
		tasks++;
		if (task->flags & 0x00200000)
			kernel_threads++;
	}
	bpf_iter_task_destroy(&it);
	bpf_rcu_read_unlock();
	return tasks;
}

char LICENSE[] SEC("license") = "GPL";
