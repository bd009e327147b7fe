/* References that kernel functions give, to be checked for NULL and given back once. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

SEC("syscall")
int ok_released(void *ctx)
{
	struct task_struct *task = bpf_task_from_pid(1);

	if (!task)
		return 0;
	bpf_task_release(task);
	return 0;
}

SEC("syscall")
int ok_acquired_again(void *ctx)
{
	struct task_struct *task = bpf_task_from_pid(1), *more;

	if (!task)
		return 0;
	more = bpf_task_acquire(task);
	if (more)
		bpf_task_release(more);
	bpf_task_release(task);
	return 0;
}

SEC("syscall")
int bad_leaked(void *ctx)
{
	struct task_struct *task = bpf_task_from_pid(1);

	return task != 0;
}

SEC("syscall")
int bad_maybe_null(void *ctx)
{
	bpf_task_release(bpf_task_from_pid(1));
	return 0;
}

SEC("syscall")
int bad_released_twice(void *ctx)
{
	struct task_struct *task = bpf_task_from_pid(1);

	if (!task)
		return 0;
	bpf_task_release(task);
	bpf_task_release(task);
	return 0;
}

SEC("syscall")
int bad_other_type(void *ctx)
{
	struct task_struct *task = bpf_task_from_pid(1);

	if (!task)
		return 0;
	bpf_cgroup_release((void *)task);
	return 0;
}

SEC("syscall")
int bad_null(void *ctx)
{
	bpf_task_release(0);
	return 0;
}

SEC("syscall")
int bad_number(void *ctx)
{
	bpf_task_release((void *)1);
	return 0;
}

SEC("xdp")
int ok_other_caller(struct xdp_md *ctx)
{
	struct task_struct *task = bpf_task_from_pid(1);

	if (task)
		bpf_task_release(task);
	return XDP_PASS;
}

char LICENSE[] SEC("license") = "GPL";
