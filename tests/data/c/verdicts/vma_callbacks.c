/* The function that bpf_find_vma calls. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

struct found {
	u64 bytes;
	u32 flags;
};

static long measure(struct task_struct *task, struct vm_area_struct *vma, struct found *found)
{
	found->bytes = vma->vm_end - vma->vm_start;
	found->flags = vma->vm_file ? vma->vm_file->f_flags : task->flags;
	return 0;
}

static long too_much(struct task_struct *task, struct vm_area_struct *vma, struct found *found)
{
	return 2;
}

static long writes(struct task_struct *task, struct vm_area_struct *vma, struct found *found)
{
	vma->vm_start = 0;
	return 0;
}

SEC("raw_tp/sys_enter")
int ok_measured(void *ctx)
{
	struct found found = {};

	bpf_find_vma(bpf_get_current_task_btf(), 0x400000, measure, &found, 0);
	return found.bytes + found.flags;
}

SEC("raw_tp/sys_enter")
int bad_result(void *ctx)
{
	struct found found = {};

	return bpf_find_vma(bpf_get_current_task_btf(), 0x400000, too_much, &found, 0);
}

SEC("raw_tp/sys_enter")
int bad_written(void *ctx)
{
	struct found found = {};

	return bpf_find_vma(bpf_get_current_task_btf(), 0x400000, writes, &found, 0);
}

SEC("raw_tp/sys_enter")
int bad_task(void *ctx)
{
	struct found found = {};

	return bpf_find_vma((void *)bpf_get_current_task(), 0x400000, measure, &found, 0);
}

char LICENSE[] SEC("license") = "GPL";
