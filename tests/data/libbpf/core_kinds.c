/* Every question that CO-RE answers: fields that may be missing, bitfields, types, enumerators. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <bpf/bpf_core_read.h>

struct task_struct___old {
	long state;
} __attribute__((preserve_access_index));

struct request_queue___none {
	int gone;
} __attribute__((preserve_access_index));

extern int LINUX_KERNEL_VERSION __kconfig;
extern enum libbpf_tristate CONFIG_BPF __kconfig __weak;

__u64 answers[24];
char name[16];

SEC("raw_tp/sched_switch")
int questions(struct bpf_raw_tracepoint_args *ctx)
{
	struct task_struct *task = (struct task_struct *)ctx->args[1];
	struct task_struct___old *old = (void *)task;
	struct sock *sk = (struct sock *)ctx->args[2];

	if (bpf_core_field_exists(task->__state))
		answers[0] = BPF_CORE_READ(task, __state);
	else
		answers[0] = BPF_CORE_READ(old, state);
	answers[1] = bpf_core_field_exists(struct task_struct___old, state);
	answers[2] = bpf_core_field_size(struct task_struct, comm);
	answers[3] = bpf_core_field_offset(task->pid);
	answers[4] = bpf_core_type_exists(struct request_queue___none);
	answers[5] = bpf_core_type_size(struct task_struct);
	answers[6] = bpf_core_type_id_kernel(struct task_struct);
	answers[7] = bpf_core_type_id_local(struct task_struct___old);
	answers[8] = bpf_core_enum_value_exists(enum bpf_map_type, BPF_MAP_TYPE_RINGBUF);
	answers[9] = bpf_core_enum_value(enum bpf_map_type, BPF_MAP_TYPE_RINGBUF);
	answers[10] = BPF_CORE_READ_BITFIELD_PROBED(task, in_execve);
	answers[11] = BPF_CORE_READ_BITFIELD_PROBED(sk, sk_protocol);
	answers[12] = bpf_core_type_matches(struct task_struct___old);
	answers[13] = LINUX_KERNEL_VERSION >= KERNEL_VERSION(5, 10, 0);
	answers[14] = CONFIG_BPF == TRI_YES;
	bpf_core_read_str(name, sizeof(name), &task->comm);
	bpf_core_read(&answers[15], sizeof(answers[15]), &task->start_time);
	BPF_CORE_READ_INTO(&answers[16], task, nsproxy, uts_ns, ns.inum);
#ifndef LIBBPF_1_1 /* which used bpf_probe_read here */
	answers[17] = BPF_PROBE_READ(task, mm, mmap_base);
#endif
	return 0;
}

SEC("tp_btf/sched_switch")
int BPF_PROG(direct, bool preempt, struct task_struct *prev, struct task_struct *next)
{
	answers[18] = BPF_CORE_READ_BITFIELD(prev, sched_reset_on_fork);
	answers[19] = prev->pid + next->tgid;
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
