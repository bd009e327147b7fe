/* Asking first: fields, types and enumerators that may not be there. */
#include "vmlinux.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

struct task_struct___old {
	long state;
} __attribute__((preserve_access_index));

struct task_struct___other {
	int a_field_that_is_not_there;
} __attribute__((preserve_access_index));

struct nobody_has_this {
	int field;
};

enum bpf_map_type___more {
	BPF_MAP_TYPE_NOT_THERE___more = 900,
};

u64 answers;

SEC("raw_tp/sched_switch")
int ask(struct bpf_raw_tracepoint_args *ctx)
{
	struct task_struct *task = (void *)ctx->args[1];
	struct task_struct___old *old = (void *)task;
	struct task_struct___other *other = (void *)task;

	if (bpf_core_field_exists(task->__state))
		answers |= BPF_CORE_READ(task, __state);
	else
		answers |= BPF_CORE_READ(old, state);
	if (bpf_core_field_exists(other->a_field_that_is_not_there))
		answers += BPF_CORE_READ(other, a_field_that_is_not_there);
	if (bpf_core_type_exists(struct nobody_has_this))
		answers += 1;
	if (bpf_core_type_exists(struct mm_struct))
		answers += 2;
	if (bpf_core_enum_value_exists(enum bpf_map_type, BPF_MAP_TYPE_ARENA))
		answers += 4;
	if (bpf_core_enum_value_exists(enum bpf_map_type___more, BPF_MAP_TYPE_NOT_THERE___more))
		answers += 8;
	return bpf_core_field_exists(struct mm_struct, pgd);
}

char LICENSE[] SEC("license") = "GPL";
