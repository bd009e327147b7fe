/* Storage of tasks, inodes and control groups by typed pointers. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, u64);
} tasks SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_CGRP_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, u64);
} groups SEC(".maps");

SEC("tp_btf/sched_switch")
int BPF_PROG(ok_task, bool preempt, struct task_struct *prev, struct task_struct *next)
{
	u64 *from = bpf_task_storage_get(&tasks, prev, 0, 0);
	u64 *to = bpf_task_storage_get(&tasks, next, from, BPF_LOCAL_STORAGE_GET_F_CREATE);

	if (from && to)
		*to += *from;
	return bpf_task_storage_delete(&tasks, prev);
}

SEC("tp_btf/sched_switch")
int BPF_PROG(ok_group, bool preempt, struct task_struct *prev)
{
	u64 *at = bpf_cgrp_storage_get(&groups, prev->cgroups->dfl_cgrp, 0, 1);

	if (at)
		*at += 1;
	return 0;
}

SEC("tp_btf/sched_switch")
int BPF_PROG(bad_owner, bool preempt, struct task_struct *prev)
{
	return bpf_cgrp_storage_get(&groups, (void *)prev, 0, 1) != 0;
}

SEC("tp_btf/sched_switch")
int BPF_PROG(bad_moved, bool preempt, struct task_struct *prev)
{
	return bpf_task_storage_get(&tasks, (void *)&prev->pid, 0, 1) != 0;
}

SEC("tp_btf/sched_switch")
int BPF_PROG(bad_unchecked, bool preempt, struct task_struct *prev)
{
	return *(u64 *)bpf_task_storage_get(&tasks, prev, 0, 1);
}

char LICENSE[] SEC("license") = "GPL";
