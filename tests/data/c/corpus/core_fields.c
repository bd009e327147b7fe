/* Fields of kernel structs by offset: chains, arrays, strings, nested and anonymous members. */
#include "vmlinux.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

char name[16], parent_name[16];
u64 numbers[8];

SEC("raw_tp/sched_switch")
int read(struct bpf_raw_tracepoint_args *ctx)
{
	struct task_struct *task = (void *)ctx->args[1];
	struct mm_struct *mm;
	pid_t pid;

	numbers[0] = BPF_CORE_READ(task, real_parent, tgid);
	numbers[1] = BPF_CORE_READ(task, mm, start_code);
	numbers[2] = BPF_CORE_READ(task, se.vruntime);
	numbers[3] = BPF_CORE_READ(task, comm[3]);
	numbers[4] = BPF_CORE_READ(task, nsproxy, uts_ns, name.release[2]);
	BPF_CORE_READ_INTO(&mm, task, mm);
	numbers[5] = mm != 0;
	bpf_core_read(&pid, sizeof(pid), &task->pid);
	numbers[6] = pid;
	bpf_core_read_str(name, sizeof(name), &task->comm);
	BPF_CORE_READ_STR_INTO(&parent_name, task, real_parent, comm);
	numbers[7] = BPF_CORE_READ(task, files, fdt, max_fds);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
