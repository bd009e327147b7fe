/* What helpers take: trusted and plain pointers, no untrusted ones. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, u64);
} seen SEC(".maps");

static long *get(struct task_struct *task)
{
	return bpf_task_storage_get(&seen, task, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);
}

SEC("tp_btf/task_newtask")
int BPF_PROG(ok_trusted, struct task_struct *task)
{
	return get(task) != 0;
}

SEC("tp_btf/task_newtask")
int BPF_PROG(ok_listed, struct task_struct *task)
{
	return get(task->group_leader) != 0;
}

SEC("tp_btf/task_newtask")
int BPF_PROG(ok_may_be_null, struct task_struct *task)
{
	return get(task->parent) != 0;
}

SEC("tp_btf/task_newtask")
int BPF_PROG(ok_plain, struct task_struct *task)
{
	return get(task->last_wakee) != 0;
}

SEC("iter.s/task")
int bad_untrusted(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;

	return task ? get(task->last_wakee) != 0 : 0;
}

SEC("tp_btf/task_newtask")
int BPF_PROG(bad_other_struct, struct task_struct *task)
{
	return get((void *)task->mm) != 0;
}

char LICENSE[] SEC("license") = "GPL";
