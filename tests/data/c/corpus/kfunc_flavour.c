/* What follows three underscores in the name of a kernel function is not part of it. */
#define BPF_NO_KFUNC_PROTOTYPES
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

extern struct task_struct *bpf_task_from_pid___first(s32 pid) __ksym __weak;
extern void bpf_task_release___done(struct task_struct *p) __ksym __weak;

SEC("syscall")
int look(void *ctx)
{
	struct task_struct *task;

	if (!bpf_task_from_pid___first)
		return -1;
	task = bpf_task_from_pid___first(1);
	if (task)
		bpf_task_release___done(task);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
