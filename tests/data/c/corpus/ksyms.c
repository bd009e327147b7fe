/* Symbols of the kernel by address alone, weak ones that are there and that are not. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

extern const int cpu_number_that_is_not_there __ksym __weak;
extern const void schedule __ksym;
extern const void __start_of_nothing __ksym __weak;
extern const void bpf_prog_put __ksym __weak;

u64 address;

SEC("raw_tp/sys_enter")
int read(void *ctx)
{
	address = (u64)&schedule;
	if (&cpu_number_that_is_not_there)
		return 1;
	if (&__start_of_nothing)
		return 2;
	return &bpf_prog_put != 0;
}

char LICENSE[] SEC("license") = "GPL";
