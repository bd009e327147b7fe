/* Pointers to kernel objects kept in maps, taken out by exchange. */
#define BPF_NO_KFUNC_PROTOTYPES
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#define __kptr __attribute__((btf_type_tag("kptr")))
#define __kptr_untrusted __attribute__((btf_type_tag("kptr_untrusted")))

extern struct task_struct *bpf_task_acquire(struct task_struct *p) __ksym;
extern void bpf_task_release(struct task_struct *p) __ksym;
extern struct bpf_cpumask *bpf_cpumask_create(void) __ksym;
extern void bpf_cpumask_release(struct bpf_cpumask *mask) __ksym;
extern void bpf_cpumask_set_cpu(u32 cpu, struct bpf_cpumask *mask) __ksym;

struct kept {
	struct task_struct __kptr *task;
	struct bpf_cpumask __kptr *mask;
	struct task_struct __kptr_untrusted *last;
	u64 since;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct kept);
} keep SEC(".maps");

SEC("tp_btf/task_newtask")
int BPF_PROG(on_task, struct task_struct *task, u64 clone_flags)
{
	u32 zero = 0;
	struct kept *kept = bpf_map_lookup_elem(&keep, &zero);
	struct bpf_cpumask *mask;

	if (!kept)
		return 0;
	task = bpf_task_acquire(task);
	if (task) {
		task = bpf_kptr_xchg(&kept->task, task);
		if (task)
			bpf_task_release(task);
	}
	mask = bpf_cpumask_create();
	if (!mask)
		return 0;
	bpf_cpumask_set_cpu(1, mask);
	mask = bpf_kptr_xchg(&kept->mask, mask);
	if (mask)
		bpf_cpumask_release(mask);
	kept->since = bpf_ktime_get_boot_ns();
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
