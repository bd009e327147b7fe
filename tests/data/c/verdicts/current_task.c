/* The task that runs: trusted where BTF gives it, a number otherwise. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

SEC("kprobe/do_nanosleep")
int ok_task(struct pt_regs *ctx)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct pt_regs *regs = (void *)bpf_task_pt_regs(task);

	return task->pid + task->real_parent->pid + regs->ip;
}

SEC("kprobe/do_nanosleep")
int bad_number(struct pt_regs *ctx)
{
	struct task_struct *task = (void *)bpf_get_current_task();

	return task->pid;
}

SEC("kprobe/do_nanosleep")
int ok_stack(struct pt_regs *ctx)
{
	u64 frames[4] = {};
	int bytes = bpf_get_task_stack(bpf_get_current_task_btf(), frames, sizeof(frames), 0);

	return bytes > 0 ? frames[0] & 1 : 0;
}

SEC("kprobe/do_nanosleep")
int ok_never_null(struct pt_regs *ctx)
{
	struct task_struct *task = bpf_get_current_task_btf();

	if (task)
		return 0;
	return *(int *)0;
}

SEC("kprobe/do_nanosleep")
int bad_written(struct pt_regs *ctx)
{
	bpf_get_current_task_btf()->flags = 0;
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
