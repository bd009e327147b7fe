/* An iterator that prints tasks; registers of a system call. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <bpf/bpf_core_read.h>

char text[64];

SEC("iter/task")
int dump_task(struct bpf_iter__task *ctx)
{
	struct seq_file *seq = ctx->meta->seq;
	struct task_struct *task = ctx->task;

	if (!task) {
		BPF_SEQ_PRINTF(seq, "end\n");
		return 0;
	}
	if (ctx->meta->seq_num == 0)
		BPF_SEQ_PRINTF(seq, "%8s %8s %s\n", "tgid", "pid", "comm");
	BPF_SEQ_PRINTF(seq, "%8d %8d %s\n", task->tgid, task->pid, task->comm);
	BPF_SNPRINTF(text, sizeof(text), "%d/%d", task->tgid, task->pid);
	return 0;
}

SEC("tp_btf/sys_enter")
int BPF_PROG(enter, struct pt_regs *regs, long id)
{
	long flags, mode;

	flags = PT_REGS_PARM2_CORE_SYSCALL(regs);
	mode = PT_REGS_PARM4_CORE_SYSCALL(regs) + PT_REGS_PARM1_CORE(regs) + PT_REGS_IP_CORE(regs);
	bpf_printk("%ld: %lx %lx", id, flags, mode);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
