/* A field that no kernel has, in code that is reached: the load fails and names it. */
#include "vmlinux.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

struct task_struct___future {
	int mood;
} __attribute__((preserve_access_index));

SEC("raw_tp/sys_enter")
int ask(void *ctx)
{
	struct task_struct___future *task = (void *)bpf_get_current_task();

	return BPF_CORE_READ(task, mood);
}

char LICENSE[] SEC("license") = "GPL";
