/* A variable of the kernel by its type: read per CPU, without a probe. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

extern const struct rq runqueues __ksym;

int running, here;

SEC("raw_tp/sys_enter")
int read(void *ctx)
{
	const struct rq *queue = bpf_per_cpu_ptr(&runqueues, 0);

	if (queue)
		running = queue->nr_running;
	queue = bpf_this_cpu_ptr(&runqueues);
	here = queue->cpu;
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
