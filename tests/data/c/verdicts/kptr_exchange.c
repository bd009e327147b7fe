// Pointers that maps keep: put in and taken out by exchange.
#define BPF_NO_KFUNC_PROTOTYPES
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <bpf/bpf_core_read.h>

#define __kptr __attribute__((btf_type_tag("kptr")))
#define __kptr_untrusted __attribute__((btf_type_tag("kptr_untrusted")))

char _license[] SEC("license") = "GPL";

extern struct task_struct *bpf_task_acquire(struct task_struct *p) __ksym;
extern void bpf_task_release(struct task_struct *p) __ksym;
extern struct bpf_cpumask *bpf_cpumask_create(void) __ksym;
extern void bpf_cpumask_release(struct bpf_cpumask *mask) __ksym;

struct kept {
	__u64 count;
	struct task_struct __kptr *task;
	struct bpf_cpumask __kptr *mask;
	struct task_struct __kptr_untrusted *seen;
	struct task_struct __kptr *tasks[2];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct kept);
} keep SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} plain SEC(".maps");

static struct kept *find(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&keep, &zero);
}

SEC("tp_btf/task_newtask")
int BPF_PROG(ok_exchanged, struct task_struct *task, u64 clone_flags)
{
	struct kept *kept = find();

	if (!kept)
		return 0;
	task = bpf_task_acquire(task);
	if (!task)
		return 0;
	task = bpf_kptr_xchg(&kept->task, task);
	if (task)
		bpf_task_release(task);
	return 0;
}

SEC("tp_btf/task_newtask")
int BPF_PROG(ok_taken_out, struct task_struct *task, u64 clone_flags)
{
	struct kept *kept = find();

	if (!kept)
		return 0;
	task = bpf_kptr_xchg(&kept->task, 0);
	if (task)
		bpf_task_release(task);
	return 0;
}

SEC("tp_btf/task_newtask")
int BPF_PROG(ok_in_array, struct task_struct *task, u64 clone_flags)
{
	struct kept *kept = find();

	if (!kept)
		return 0;
	task = bpf_kptr_xchg(&kept->tasks[1], 0);
	if (task)
		bpf_task_release(task);
	return 0;
}

SEC("tp_btf/task_newtask")
int BPF_PROG(bad_taken_out_and_kept, struct task_struct *task, u64 clone_flags)
{
	struct kept *kept = find();

	if (kept)
		bpf_kptr_xchg(&kept->task, 0);
	return 0;
}

SEC("tp_btf/task_newtask")
int BPF_PROG(bad_released_after, struct task_struct *task, u64 clone_flags)
{
	struct kept *kept = find();
	struct task_struct *own, *old;

	if (!kept)
		return 0;
	own = bpf_task_acquire(task);
	if (!own)
		return 0;
	old = bpf_kptr_xchg(&kept->task, own);
	bpf_task_release(own);
	if (old)
		bpf_task_release(old);
	return 0;
}

SEC("tp_btf/task_newtask")
int BPF_PROG(bad_no_reference, struct task_struct *task, u64 clone_flags)
{
	struct kept *kept = find();

	if (!kept)
		return 0;
	task = bpf_kptr_xchg(&kept->task, task);
	if (task)
		bpf_task_release(task);
	return 0;
}

SEC("tp_btf/task_newtask")
int BPF_PROG(bad_may_be_null, struct task_struct *task, u64 clone_flags)
{
	struct kept *kept = find();

	if (!kept)
		return 0;
	task = bpf_kptr_xchg(&kept->task, bpf_task_acquire(task));
	if (task)
		bpf_task_release(task);
	return 0;
}

SEC("tp_btf/task_newtask")
int BPF_PROG(bad_another_type, struct task_struct *task, u64 clone_flags)
{
	struct kept *kept = find();
	struct bpf_cpumask *mask;

	if (!kept)
		return 0;
	mask = bpf_cpumask_create();
	if (!mask)
		return 0;
	task = bpf_kptr_xchg(&kept->task, mask);
	if (task)
		bpf_task_release(task);
	return 0;
}

SEC("tp_btf/task_newtask")
int BPF_PROG(bad_unreferenced, struct task_struct *task, u64 clone_flags)
{
	struct kept *kept = find();

	if (!kept)
		return 0;
	task = bpf_kptr_xchg(&kept->seen, 0);
	if (task)
		bpf_task_release(task);
	return 0;
}

SEC("tp_btf/task_newtask")
int BPF_PROG(bad_no_kptr_there, struct task_struct *task, u64 clone_flags)
{
	struct kept *kept = find();

	if (!kept)
		return 0;
	task = bpf_kptr_xchg(&kept->count, 0);
	if (task)
		bpf_task_release(task);
	return 0;
}

SEC("tp_btf/task_newtask")
int BPF_PROG(bad_map_without_kptr, struct task_struct *task, u64 clone_flags)
{
	__u32 zero = 0;
	__u64 *value = bpf_map_lookup_elem(&plain, &zero);

	if (!value)
		return 0;
	task = bpf_kptr_xchg(value, 0);
	if (task)
		bpf_task_release(task);
	return 0;
}

SEC("tp_btf/task_newtask")
int BPF_PROG(bad_variable_offset, struct task_struct *task, u64 clone_flags)
{
	struct kept *kept = find();

	if (!kept)
		return 0;
	task = bpf_kptr_xchg(&kept->tasks[clone_flags & 1], 0);
	if (task)
		bpf_task_release(task);
	return 0;
}

SEC("tp_btf/task_newtask")
int BPF_PROG(bad_on_stack, struct task_struct *task, u64 clone_flags)
{
	struct task_struct *slot = 0;

	task = bpf_kptr_xchg(&slot, 0);
	if (task)
		bpf_task_release(task);
	return 0;
}

SEC("tp_btf/task_newtask")
int BPF_PROG(bad_given_to_helper, struct task_struct *task, u64 clone_flags)
{
	struct kept *kept = find();

	if (kept)
		bpf_probe_read_kernel(kept, sizeof(*kept), task);
	return 0;
}

SEC("tp_btf/task_newtask")
int BPF_PROG(bad_one_given_to_helper, struct task_struct *task, u64 clone_flags)
{
	struct kept *kept = find();

	if (kept)
		bpf_probe_read_kernel(&kept->task, sizeof(kept->task), task);
	return 0;
}

SEC("tp_btf/task_newtask")
int BPF_PROG(ok_twice, struct task_struct *task, u64 clone_flags)
{
	struct kept *kept = find();
	struct bpf_cpumask *mask, *old;

	if (!kept)
		return 0;
	mask = bpf_cpumask_create();
	if (!mask)
		return 0;
	old = bpf_kptr_xchg(&kept->mask, mask);
	if (old)
		old = bpf_kptr_xchg(&kept->mask, old);
	if (old)
		bpf_cpumask_release(old);
	return 0;
}
