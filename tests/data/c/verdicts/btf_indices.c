/* Offsets in kernel structs are constants. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

SEC("tp_btf/sched_switch")
int BPF_PROG(ok_unrolled, bool preempt, struct task_struct *prev)
{
	int sum = 0;

#pragma unroll
	for (int i = 0; i < 16; i++)
		sum += prev->comm[i];
	return sum;
}

SEC("tp_btf/sched_switch")
int BPF_PROG(bad_variable, bool preempt, struct task_struct *prev)
{
	return prev->comm[bpf_get_prandom_u32() & 15];
}

SEC("tp_btf/sched_switch")
int BPF_PROG(ok_copied, bool preempt, struct task_struct *prev)
{
	char name[16];

	bpf_probe_read_kernel(name, sizeof(name), prev->comm);
	return name[bpf_get_prandom_u32() & 15];
}

char LICENSE[] SEC("license") = "GPL";
