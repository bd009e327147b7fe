/* Tracepoints with typed arguments: kernel structs read directly, by CO-RE offsets. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, 512);
	__type(key, pid_t);
	__type(value, u64);
} runtime SEC(".maps");

SEC("tp_btf/sched_switch")
int BPF_PROG(on_switch, bool preempt, struct task_struct *prev, struct task_struct *next)
{
	u64 now = bpf_ktime_get_ns();
	pid_t pid = prev->pid;

	if (prev->real_parent->tgid == next->tgid)
		return 0;
	bpf_map_update_elem(&runtime, &pid, &now, BPF_ANY);
	return 0;
}

SEC("tp_btf/sched_process_fork")
int BPF_PROG(on_fork, struct task_struct *parent, struct task_struct *child)
{
	return child->flags & 0x00200000 ? parent->comm[3] : 0;
}

char LICENSE[] SEC("license") = "GPL";
