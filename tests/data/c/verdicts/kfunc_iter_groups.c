/* Iterators over control groups and over the memory of a task. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

int seen;

SEC("syscall")
int ok_descendants(void *ctx)
{
	struct cgroup *root = bpf_cgroup_from_id(1);
	struct cgroup_subsys_state *css;
	struct bpf_iter_css it;

	if (!root)
		return 0;
	bpf_rcu_read_lock();
	bpf_iter_css_new(&it, &root->self, BPF_CGROUP_ITER_DESCENDANTS_PRE);
	while ((css = bpf_iter_css_next(&it)))
		seen++;
	bpf_iter_css_destroy(&it);
	bpf_rcu_read_unlock();
	bpf_cgroup_release(root);
	return 0;
}

SEC("syscall")
int ok_tasks_of_a_group(void *ctx)
{
	struct cgroup *root = bpf_cgroup_from_id(1);
	struct bpf_iter_css_task it;
	struct task_struct *task;

	if (!root)
		return 0;
	bpf_iter_css_task_new(&it, &root->self, CSS_TASK_ITER_PROCS);
	while ((task = bpf_iter_css_task_next(&it)))
		seen++;
	bpf_iter_css_task_destroy(&it);
	bpf_cgroup_release(root);
	return 0;
}

SEC("syscall")
int ok_elements_are_trusted(void *ctx)
{
	struct cgroup *root = bpf_cgroup_from_id(1);
	struct task_struct *task, *held;
	struct bpf_iter_css_task it;

	if (!root)
		return 0;
	bpf_iter_css_task_new(&it, &root->self, CSS_TASK_ITER_PROCS);
	while ((task = bpf_iter_css_task_next(&it))) {
		held = bpf_task_acquire(task);
		if (held)
			bpf_task_release(held);
	}
	bpf_iter_css_task_destroy(&it);
	bpf_cgroup_release(root);
	return 0;
}

SEC("tc")
int bad_takes_a_lock(struct __sk_buff *skb)
{
	struct cgroup *root = bpf_cgroup_from_id(1);
	struct bpf_iter_css_task it;

	if (!root)
		return 0;
	bpf_iter_css_task_new(&it, &root->self, CSS_TASK_ITER_PROCS);
	bpf_iter_css_task_destroy(&it);
	bpf_cgroup_release(root);
	return 0;
}

SEC("syscall")
int ok_memory_of_a_task(void *ctx)
{
	struct task_struct *task = bpf_task_from_pid(1);
	struct bpf_iter_task_vma it;
	struct vm_area_struct *vma;

	if (!task)
		return 0;
	bpf_iter_task_vma_new(&it, task, 0);
	while ((vma = bpf_iter_task_vma_next(&it)))
		seen += vma->vm_end - vma->vm_start;
	bpf_iter_task_vma_destroy(&it);
	bpf_task_release(task);
	return 0;
}

SEC("syscall")
int bad_other_struct(void *ctx)
{
	struct task_struct *task = bpf_task_from_pid(1);
	struct bpf_iter_css it;

	if (!task)
		return 0;
	bpf_rcu_read_lock();
	bpf_iter_css_new(&it, (void *)task, 0);
	bpf_iter_css_destroy(&it);
	bpf_rcu_read_unlock();
	bpf_task_release(task);
	return 0;
}

SEC("tc")
int ok_in_a_program_that_never_sleeps(struct __sk_buff *skb)
{
	struct cgroup *root = bpf_cgroup_from_id(1);
	struct cgroup_subsys_state *css;
	struct bpf_iter_css it;

	if (!root)
		return 0;
	bpf_iter_css_new(&it, &root->self, BPF_CGROUP_ITER_DESCENDANTS_PRE);
	while ((css = bpf_iter_css_next(&it)))
		seen++;
	bpf_iter_css_destroy(&it);
	bpf_cgroup_release(root);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
