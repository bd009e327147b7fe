/* Iterators: the file that they write to, elements that may be NULL, results. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

SEC("iter/task_file")
int ok_files(struct bpf_iter__task_file *ctx)
{
	struct file *file = ctx->file;
	struct task_struct *task = ctx->task;

	if (!file || !task)
		return 0;
	BPF_SEQ_PRINTF(ctx->meta->seq, "%d %d %lx\n", task->pid, ctx->fd, file->f_op);
	return 0;
}

SEC("iter/task_file")
int bad_no_file(struct bpf_iter__task_file *ctx)
{
	return ctx->file->f_flags & 1;
}

SEC("iter/bpf_prog")
int bad_result(struct bpf_iter__bpf_prog *ctx)
{
	return 2;
}

SEC("iter/task_vma")
int ok_path(struct bpf_iter__task_vma *ctx)
{
	struct vm_area_struct *vma = ctx->vma;
	char path[32];

	if (vma && vma->vm_file)
		bpf_d_path(&vma->vm_file->f_path, path, sizeof(path));
	return 0;
}

SEC("iter/task")
int bad_seq_file(struct bpf_iter__task *ctx)
{
	u64 word = 0;

	bpf_seq_write((void *)ctx->meta, &word, sizeof(word));
	return 0;
}

SEC("iter/task")
int ok_written(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;

	if (task)
		bpf_seq_write(ctx->meta->seq, task->comm, sizeof(task->comm));
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
