/* Functions of the kernel by address: memory of no size, and 0 where they are not there. */
#define BPF_NO_KFUNC_PROTOTYPES
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

extern void bpf_task_release(struct task_struct *p) __ksym __weak;
extern void bpf_nobody_wrote_this(struct task_struct *p) __ksym __weak;
extern const void schedule __ksym;

SEC("raw_tp/sys_enter")
int ok_asked(void *ctx)
{
	if (!bpf_task_release)
		return *(volatile int *)0;
	if (bpf_nobody_wrote_this)
		return *(volatile int *)8;
	return 0;
}

SEC("raw_tp/sys_enter")
int bad_function_read(void *ctx)
{
	return *(volatile u32 *)&bpf_task_release;
}

SEC("raw_tp/sys_enter")
int ok_untyped(void *ctx)
{
	return (u64)&schedule & 1;
}

SEC("raw_tp/sys_enter")
int bad_untyped_read(void *ctx)
{
	return *(volatile u32 *)&schedule;
}

char LICENSE[] SEC("license") = "GPL";
