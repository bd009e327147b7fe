// Pointers that maps keep: loaded, followed while RCU protects them, stored where they may be.
#define BPF_NO_KFUNC_PROTOTYPES
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#define __kptr __attribute__((btf_type_tag("kptr")))
#define __kptr_untrusted __attribute__((btf_type_tag("kptr_untrusted")))

char _license[] SEC("license") = "GPL";

extern struct task_struct *bpf_task_acquire(struct task_struct *p) __ksym;
extern void bpf_task_release(struct task_struct *p) __ksym;
extern bool bpf_cpumask_test_cpu(u32 cpu, const struct cpumask *mask) __ksym;
extern void bpf_rcu_read_lock(void) __ksym;
extern void bpf_rcu_read_unlock(void) __ksym;

struct kept {
	struct task_struct __kptr *task;
	struct bpf_cpumask __kptr *mask;
	struct task_struct __kptr_untrusted *seen;
	__u64 after;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct kept);
} keep SEC(".maps");

static struct kept *find(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&keep, &zero);
}

SEC("tp_btf/task_newtask")
int BPF_PROG(ok_followed, struct task_struct *task, u64 clone_flags)
{
	struct kept *kept = find();

	if (!kept)
		return 0;
	task = kept->task;
	return task ? task->pid & 1 : 0;
}

SEC("tp_btf/task_newtask")
int BPF_PROG(bad_followed_unchecked, struct task_struct *task, u64 clone_flags)
{
	struct kept *kept = find();

	return kept ? kept->task->pid & 1 : 0;
}

SEC("tp_btf/task_newtask")
int BPF_PROG(ok_acquired, struct task_struct *task, u64 clone_flags)
{
	struct kept *kept = find();

	if (!kept)
		return 0;
	task = kept->task;
	if (!task)
		return 0;
	task = bpf_task_acquire(task);
	if (task)
		bpf_task_release(task);
	return 0;
}

SEC("tp_btf/task_newtask")
int BPF_PROG(ok_given_to_kfunc, struct task_struct *task, u64 clone_flags)
{
	struct kept *kept = find();
	struct bpf_cpumask *mask;

	if (!kept)
		return 0;
	mask = kept->mask;
	return mask ? bpf_cpumask_test_cpu(0, (struct cpumask *)&mask->cpumask) : 0;
}

SEC("tp_btf/task_newtask")
int BPF_PROG(bad_untrusted_given_to_kfunc, struct task_struct *task, u64 clone_flags)
{
	struct kept *kept = find();

	if (!kept)
		return 0;
	task = kept->seen;
	if (!task)
		return 0;
	task = bpf_task_acquire(task);
	if (task)
		bpf_task_release(task);
	return 0;
}

SEC("tp_btf/task_newtask")
int BPF_PROG(ok_untrusted_followed, struct task_struct *task, u64 clone_flags)
{
	struct kept *kept = find();

	if (!kept)
		return 0;
	task = kept->seen;
	return task ? task->pid & 1 : 0;
}

SEC("tp_btf/task_newtask")
int BPF_PROG(ok_untrusted_stored, struct task_struct *task, u64 clone_flags)
{
	struct kept *kept = find();

	if (kept)
		kept->seen = task;
	return 0;
}

SEC("tp_btf/task_newtask")
int BPF_PROG(ok_null_stored, struct task_struct *task, u64 clone_flags)
{
	struct kept *kept = find();

	if (kept)
		*(volatile __u64 *)&kept->seen = 0;
	return 0;
}

SEC("tp_btf/task_newtask")
int BPF_PROG(bad_number_stored, struct task_struct *task, u64 clone_flags)
{
	struct kept *kept = find();

	if (kept)
		*(volatile __u64 *)&kept->seen = clone_flags;
	return 0;
}

SEC("tp_btf/task_newtask")
int BPF_PROG(bad_constant_stored, struct task_struct *task, u64 clone_flags)
{
	struct kept *kept = find();

	if (kept)
		asm volatile("*(u64 *)(%[kept] + 16) = 1" : : [kept] "r"(kept) :);
	return 0;
}

SEC("tp_btf/task_newtask")
int BPF_PROG(bad_reference_stored, struct task_struct *task, u64 clone_flags)
{
	struct kept *kept = find();

	if (kept)
		kept->task = task;
	return 0;
}

SEC("tp_btf/task_newtask")
int BPF_PROG(bad_another_type_stored, struct task_struct *task, u64 clone_flags)
{
	struct kept *kept = find();

	if (kept)
		kept->seen = (void *)task->mm;
	return 0;
}

SEC("tp_btf/task_newtask")
int BPF_PROG(bad_half_read, struct task_struct *task, u64 clone_flags)
{
	struct kept *kept = find();

	if (kept)
		*(volatile __u32 *)&kept->task;
	return 0;
}

SEC("tp_btf/task_newtask")
int BPF_PROG(bad_read_across, struct task_struct *task, u64 clone_flags)
{
	struct kept *kept = find();

	return kept ? *(volatile __u64 *)((void *)kept + 20) & 1 : 0;
}

SEC("tp_btf/task_newtask")
int BPF_PROG(bad_variable_offset, struct task_struct *task, u64 clone_flags)
{
	struct kept *kept = find();
	__u64 *words = (void *)kept;

	return kept ? words[clone_flags & 3] & 1 : 0;
}

SEC("tp_btf/task_newtask")
int BPF_PROG(bad_atomic, struct task_struct *task, u64 clone_flags)
{
	struct kept *kept = find();

	if (kept)
		__sync_fetch_and_add((__u64 *)&kept->seen, 1);
	return 0;
}

SEC("syscall")
int bad_followed_where_programs_sleep(void *ctx)
{
	struct kept *kept = find();
	struct task_struct *task;

	if (!kept)
		return 0;
	task = kept->task;
	if (!task)
		return 0;
	task = bpf_task_acquire(task);
	if (task)
		bpf_task_release(task);
	return 0;
}

SEC("syscall")
int ok_followed_in_rcu_section(void *ctx)
{
	struct kept *kept = find();
	struct task_struct *task, *own = 0;

	if (!kept)
		return 0;
	bpf_rcu_read_lock();
	task = kept->task;
	if (task)
		own = bpf_task_acquire(task);
	bpf_rcu_read_unlock();
	if (own)
		bpf_task_release(own);
	return 0;
}

SEC("syscall")
int bad_followed_after_rcu_section(void *ctx)
{
	struct kept *kept = find();
	struct task_struct *task, *own = 0;

	if (!kept)
		return 0;
	bpf_rcu_read_lock();
	task = kept->task;
	bpf_rcu_read_unlock();
	if (task)
		own = bpf_task_acquire(task);
	if (own)
		bpf_task_release(own);
	return 0;
}

struct locked {
	struct bpf_spin_lock lock;
	struct task_struct __kptr *task;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, struct locked);
} under_lock SEC(".maps");

SEC("syscall")
int bad_loaded_under_a_lock(void *ctx)
{
	__u32 key = 0;
	struct locked *value = bpf_map_lookup_elem(&under_lock, &key);
	struct task_struct *task, *held;

	if (!value)
		return 0;
	bpf_spin_lock(&value->lock);
	task = value->task;
	bpf_spin_unlock(&value->lock);
	if (!task)
		return 0;
	held = bpf_task_acquire(task);
	if (held)
		bpf_task_release(held);
	return 0;
}

SEC("syscall")
int ok_loaded_under_a_lock_in_a_section(void *ctx)
{
	__u32 key = 0;
	struct locked *value = bpf_map_lookup_elem(&under_lock, &key);
	struct task_struct *task, *held = 0;

	if (!value)
		return 0;
	bpf_rcu_read_lock();
	bpf_spin_lock(&value->lock);
	task = value->task;
	bpf_spin_unlock(&value->lock);
	if (task)
		held = bpf_task_acquire(task);
	bpf_rcu_read_unlock();
	if (held)
		bpf_task_release(held);
	return 0;
}
