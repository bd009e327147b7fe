/* Memory of user space, and what is no per-CPU pointer. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

SEC("tp_btf/task_newtask")
int BPF_PROG(ok_user_by_helper, struct task_struct *task)
{
	struct robust_list_head *head = task->robust_list;
	long offset = 0;

	bpf_probe_read_user(&offset, sizeof(offset), &head->futex_offset);
	return offset;
}

SEC("tp_btf/task_newtask")
int BPF_PROG(bad_not_per_cpu, struct task_struct *task)
{
	return bpf_per_cpu_ptr(task, 0) != 0;
}

SEC("tp_btf/task_newtask")
int BPF_PROG(bad_number_of_cpu, struct task_struct *task)
{
	return ((struct task_struct *)bpf_this_cpu_ptr((void *)task->start_time))->pid;
}

char LICENSE[] SEC("license") = "GPL";
