/* RCU, preemption and interrupts: what is entered is left, in order, before the end. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

SEC("syscall")
int ok_rcu(void *ctx)
{
	bpf_rcu_read_lock();
	bpf_rcu_read_unlock();
	return 0;
}

SEC("syscall")
int bad_rcu_not_left(void *ctx)
{
	bpf_rcu_read_lock();
	return 0;
}

SEC("syscall")
int bad_rcu_not_entered(void *ctx)
{
	bpf_rcu_read_unlock();
	return 0;
}

SEC("tc")
int ok_preempt_nested(struct __sk_buff *skb)
{
	bpf_preempt_disable();
	bpf_preempt_disable();
	bpf_preempt_enable();
	bpf_preempt_enable();
	return 0;
}

SEC("tc")
int bad_preempt_left_once(struct __sk_buff *skb)
{
	bpf_preempt_disable();
	bpf_preempt_disable();
	bpf_preempt_enable();
	return 0;
}

SEC("tc")
int bad_preempt_not_entered(struct __sk_buff *skb)
{
	bpf_preempt_enable();
	return 0;
}

SEC("tc")
int bad_preempt_on_one_path(struct __sk_buff *skb)
{
	if (skb->len > 64)
		bpf_preempt_disable();
	if (skb->len > 128)
		bpf_preempt_enable();
	return 0;
}

SEC("syscall")
int bad_sleeps_under_rcu(void *ctx)
{
	char text[8];

	bpf_rcu_read_lock();
	bpf_copy_from_user_str(text, sizeof(text), (void *)4096, 0);
	bpf_rcu_read_unlock();
	return 0;
}

SEC("syscall")
int bad_sleeps_without_preemption(void *ctx)
{
	char text[8];

	bpf_preempt_disable();
	bpf_copy_from_user_str(text, sizeof(text), (void *)4096, 0);
	bpf_preempt_enable();
	return 0;
}

SEC("syscall")
int bad_helper_sleeps_under_rcu(void *ctx)
{
	char text[8];

	bpf_rcu_read_lock();
	bpf_copy_from_user(text, sizeof(text), (void *)4096);
	bpf_rcu_read_unlock();
	return 0;
}

SEC("syscall")
int bad_helper_sleeps_without_preemption(void *ctx)
{
	char text[8];

	bpf_preempt_disable();
	bpf_copy_from_user(text, sizeof(text), (void *)4096);
	bpf_preempt_enable();
	return 0;
}

char LICENSE[] SEC("license") = "GPL";

SEC("syscall")
int bad_rcu_nested(void *ctx)
{
	bpf_rcu_read_lock();
	bpf_rcu_read_lock();
	bpf_rcu_read_unlock();
	bpf_rcu_read_unlock();
	return 0;
}

extern int bpf_copy_from_user_str___flavoured(void *dst, u32 dst__sz, const void *unsafe_ptr__ign,
					      u64 flags) __ksym;

__noinline int sleeps_by_another_name(__u64 address)
{
	char bytes[8];

	return bpf_copy_from_user_str___flavoured(bytes, sizeof(bytes), (void *)address, 0);
}

SEC("syscall")
int bad_sleeps_by_another_name(void *ctx)
{
	int result;

	bpf_rcu_read_lock();
	result = sleeps_by_another_name(1);
	bpf_rcu_read_unlock();
	return result;
}

SEC("syscall")
int ok_sleeps_by_another_name(void *ctx)
{
	return sleeps_by_another_name(1);
}
