/* Members that RCU protects: as good as trusted where nothing sleeps, untrusted where it may. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, u64);
} seen SEC(".maps");

SEC("tp_btf/task_newtask")
int BPF_PROG(ok_listed, struct task_struct *task)
{
	return task->real_parent->pid + task->group_leader->pid + task->cgroups->dfl_cgrp->level;
}

SEC("tp_btf/task_newtask")
int BPF_PROG(ok_checked, struct task_struct *task)
{
	struct task_struct *parent = task->parent;
	struct io_context *io = task->io_context;

	return parent ? parent->pid + (io != 0) : 0;
}

SEC("iter.s/task")
int ok_sleeps(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;

	return task ? task->parent->pid & 1 : 0;
}

SEC("iter/task")
int ok_kept(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;

	return task ? bpf_task_storage_get(&seen, task->group_leader, 0, 1) != 0 : 0;
}

SEC("iter.s/task")
int bad_not_kept(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;

	return task ? bpf_task_storage_get(&seen, task->group_leader, 0, 1) != 0 : 0;
}

char LICENSE[] SEC("license") = "GPL";
