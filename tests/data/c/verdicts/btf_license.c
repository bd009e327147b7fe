/* Structs of the kernel are for programs with a GPL-compatible license. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>


SEC("tp_btf/sched_switch")
int BPF_PROG(bad_read, bool preempt, struct task_struct *prev)
{
	return prev->pid;
}

SEC("tp_btf/sched_switch")
int BPF_PROG(ok_unread, bool preempt, struct task_struct *prev)
{
	return prev != 0;
}

char LICENSE[] SEC("license") = "Proprietary";
