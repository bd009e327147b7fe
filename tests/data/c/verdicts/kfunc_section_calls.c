/* Sections and functions of the program: who enters, who leaves, who may be called inside. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, u32);
} programs SEC(".maps");

char text[8];

__noinline int quiet(int number)
{
	volatile int kept = number;

	return kept + 1;
}

__noinline int sleeps(int number)
{
	volatile int kept = number;

	bpf_copy_from_user_str(text, sizeof(text), (void *)4096, 0);
	return kept;
}

__noinline int sleeps_deeper(int number)
{
	return sleeps(number) + 1;
}

static __noinline int enters(void)
{
	bpf_rcu_read_lock();
	return 0;
}

static __noinline int leaves(void)
{
	bpf_rcu_read_unlock();
	return 0;
}

SEC("syscall")
int ok_static_functions_enter_and_leave(void *ctx)
{
	enters();
	leaves();
	return 0;
}

SEC("syscall")
int bad_static_function_only_enters(void *ctx)
{
	enters();
	return 0;
}

SEC("syscall")
int ok_global_function_inside(void *ctx)
{
	int result;

	bpf_rcu_read_lock();
	result = quiet(1);
	bpf_rcu_read_unlock();
	return result;
}

SEC("syscall")
int bad_global_function_sleeps_under_rcu(void *ctx)
{
	int result;

	bpf_rcu_read_lock();
	result = sleeps(1);
	bpf_rcu_read_unlock();
	return result;
}

SEC("syscall")
int bad_global_function_sleeps_deeper(void *ctx)
{
	int result;

	bpf_preempt_disable();
	result = sleeps_deeper(1);
	bpf_preempt_enable();
	return result;
}

SEC("syscall")
int bad_global_function_sleeps_without_interrupts(void *ctx)
{
	unsigned long flags;
	int result;

	bpf_local_irq_save(&flags);
	result = sleeps(1);
	bpf_local_irq_restore(&flags);
	return result;
}

SEC("tc")
int bad_global_function_sleeps_in_a_program_that_may_not(struct __sk_buff *skb)
{
	return sleeps(1);
}

SEC("syscall")
int ok_global_function_sleeps(void *ctx)
{
	return sleeps_deeper(1);
}

SEC("tc")
int bad_tail_call_inside(struct __sk_buff *skb)
{
	bpf_preempt_disable();
	bpf_tail_call(skb, &programs, 0);
	bpf_preempt_enable();
	return 0;
}

static int enter_each(u64 index, void *data)
{
	bpf_preempt_disable();
	bpf_preempt_enable();
	return 0;
}

static int never_leave(u64 index, void *data)
{
	bpf_preempt_disable();
	return 0;
}

SEC("tc")
int ok_callback_enters_and_leaves(struct __sk_buff *skb)
{
	bpf_loop(4, enter_each, 0, 0);
	return 0;
}

SEC("tc")
int bad_callback_only_enters(struct __sk_buff *skb)
{
	bpf_loop(4, never_leave, 0, 0);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
