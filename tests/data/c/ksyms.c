/* Variables of the kernel: typed, by address alone, per CPU, weak and not there. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

extern const struct rq runqueues __ksym;
extern const int cpu_number_that_is_not_there __ksym __weak;
extern const void schedule __ksym;
extern const void __start_of_nothing __ksym __weak;
extern const void bpf_prog_put __ksym __weak;

u64 address;
int running, here;

SEC("raw_tp/sys_enter")
int read(void *ctx)
{
	struct rq *queue = (struct rq *)bpf_per_cpu_ptr(&runqueues, 0);

	if (queue)
		running = queue->nr_running;
	queue = (struct rq *)bpf_this_cpu_ptr(&runqueues);
	here = queue->cpu;
	address = (u64)&schedule;
	if (&cpu_number_that_is_not_there)
		return 1;
	if (&__start_of_nothing)
		return 2;
	return &bpf_prog_put != 0;
}

char LICENSE[] SEC("license") = "GPL";
