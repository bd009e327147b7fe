/* Refused: a CO-RE relocation. */
#include "bpf.h"

struct task {
	int pid;
	int tgid;
} __attribute__((preserve_access_index));

SEC("xdp") int core(struct xdp_md *ctx)
{
	struct task *task = (void *)(long)ctx->data;
	return task->tgid;
}
