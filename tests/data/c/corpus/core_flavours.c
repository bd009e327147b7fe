/* Several shapes of one struct, each with its suffix; the kernel decides which is real. */
#include "vmlinux.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

struct kernfs_node___before {
	u64 id;
	int gone;
} __attribute__((preserve_access_index));

struct request_queue___longer {
	int quiesce_depth;
	struct {
		u64 nested;
	} not_there;
} __attribute__((preserve_access_index));

typedef struct {
	int counter;
} __attribute__((preserve_access_index)) atomic_t___mine;

u64 seen;

SEC("tp/sched/sched_switch")
int read(void *ctx)
{
	struct kernfs_node___before *node = (void *)bpf_get_current_task();
	struct request_queue___longer *queue = (void *)node;

	seen = BPF_CORE_READ(node, id);
	if (bpf_core_field_exists(queue->not_there.nested))
		seen += BPF_CORE_READ(queue, not_there.nested);
	if (bpf_core_field_exists(node->gone))
		seen += BPF_CORE_READ(node, gone);
	seen += BPF_CORE_READ((atomic_t___mine *)node, counter);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
