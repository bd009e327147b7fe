/* Functions that this kernel may not have: asked for first, or never reached. */
#define BPF_NO_KFUNC_PROTOTYPES
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

extern struct task_struct *bpf_task_acquire(struct task_struct *p) __ksym __weak;
extern void bpf_task_release(struct task_struct *p) __ksym __weak;
extern int bpf_nobody_wrote_this(int number) __ksym __weak;
extern struct task_struct *bpf_task_from_pid___other(s32 pid) __ksym __weak;

const volatile bool use_it;

SEC("tp_btf/task_newtask")
int BPF_PROG(on_task, struct task_struct *task, u64 clone_flags)
{
	struct task_struct *held;

	if (!bpf_task_acquire)
		return 1;
	if (bpf_nobody_wrote_this)
		return 2;
	if (use_it)
		return bpf_nobody_wrote_this(3);
	held = bpf_task_acquire(task);
	if (held)
		bpf_task_release(held);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
