/* What is known of fields: size, sign, offset, as numbers of the program. */
#include "vmlinux.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

u64 facts[12];

SEC("xdp")
int ask(struct xdp_md *ctx)
{
	struct task_struct *task = 0;
	struct sk_buff *skb = 0;

	facts[0] = bpf_core_field_size(task->comm);
	facts[1] = bpf_core_field_size(task->se);
	facts[2] = __builtin_preserve_field_info(task->prio, BPF_FIELD_SIGNED);
	facts[3] = __builtin_preserve_field_info(task->flags, BPF_FIELD_SIGNED);
	facts[4] = __builtin_preserve_field_info(skb->cb, BPF_FIELD_BYTE_OFFSET);
	facts[5] = __builtin_preserve_field_info(skb->pkt_type, BPF_FIELD_LSHIFT_U64);
	facts[6] = __builtin_preserve_field_info(skb->pkt_type, BPF_FIELD_RSHIFT_U64);
	facts[7] = __builtin_preserve_field_info(skb->pkt_type, BPF_FIELD_BYTE_SIZE);
	facts[8] = __builtin_preserve_field_info(skb->cloned, BPF_FIELD_BYTE_OFFSET);
	facts[9] = bpf_core_field_size(skb->cb[3]);
	facts[10] = __builtin_preserve_field_info(task->thread.sp, BPF_FIELD_BYTE_OFFSET);
	facts[11] = bpf_core_field_exists(skb->cb[47]) + bpf_core_field_exists(task->comm[2]);
	return XDP_PASS;
}

char LICENSE[] SEC("license") = "GPL";
