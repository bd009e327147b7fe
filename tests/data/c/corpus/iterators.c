/* Iterators over what the kernel has, sleepable ones too. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 8);
	__type(key, u32);
	__type(value, u64);
} seen SEC(".maps");

SEC("iter/task")
int tasks(struct bpf_iter__task *ctx)
{
	struct seq_file *seq = ctx->meta->seq;
	struct task_struct *task = ctx->task;

	if (!task)
		return 0;
	if (ctx->meta->seq_num == 0)
		BPF_SEQ_PRINTF(seq, "%8s %8s\n", "tgid", "pid");
	BPF_SEQ_PRINTF(seq, "%8d %8d %s\n", task->tgid, task->pid, task->comm);
	return 0;
}

SEC("iter.s/task")
int sleepable_tasks(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	char text[8];

	if (task && !bpf_copy_from_user_task(text, sizeof(text), (void *)0x400000, task, 0))
		bpf_seq_write(ctx->meta->seq, text, sizeof(text));
	return 0;
}

SEC("iter/bpf_map_elem")
int elements(struct bpf_iter__bpf_map_elem *ctx)
{
	u32 *key = ctx->key;
	u64 *value = ctx->value;

	u32 copy;

	if (!key || !value)
		return 0;
	copy = *key;
	bpf_map_delete_elem(&seen, &copy);
	return *value > 100;
}

SEC("iter/bpf_map")
int maps(struct bpf_iter__bpf_map *ctx)
{
	struct bpf_map *map = ctx->map;

	if (map)
		BPF_SEQ_PRINTF(ctx->meta->seq, "%u: %u\n", map->id, map->max_entries);
	return 0;
}

SEC("iter/tcp")
int sockets(struct bpf_iter__tcp *ctx)
{
	struct sock_common *sk = ctx->sk_common;

	if (sk)
		BPF_SEQ_PRINTF(ctx->meta->seq, "%pI4\n", &sk->skc_rcv_saddr);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
