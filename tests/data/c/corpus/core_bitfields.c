/* Bit fields: read by probing and directly, signed and not, and by their neighbours. */
#include "vmlinux.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

u64 values[8];

SEC("tp_btf/kfree_skb")
int BPF_PROG(on_free, struct sk_buff *skb)
{
	values[0] = BPF_CORE_READ_BITFIELD(skb, pkt_type);
	values[1] = BPF_CORE_READ_BITFIELD(skb, ip_summed);
	values[2] = BPF_CORE_READ_BITFIELD_PROBED(skb, cloned);
	values[3] = BPF_CORE_READ_BITFIELD_PROBED(skb, nohdr);
	return 0;
}

SEC("raw_tp/sched_switch")
int on_switch(struct bpf_raw_tracepoint_args *ctx)
{
	struct task_struct *task = (void *)ctx->args[1];

	values[4] = BPF_CORE_READ_BITFIELD_PROBED(task, sched_reset_on_fork);
	values[5] = BPF_CORE_READ_BITFIELD_PROBED(task, in_iowait);
	values[6] = BPF_CORE_READ_BITFIELD_PROBED(task, pid);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
