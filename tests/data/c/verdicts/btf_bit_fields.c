/* Bit fields: by the bytes around them. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

SEC("tp_btf/kfree_skb")
int ok_whole(u64 *ctx)
{
	struct sk_buff *skb = (void *)ctx[0];

	return skb->pkt_type + skb->ip_summed;
}

SEC("tp_btf/sched_switch")
int BPF_PROG(ok_of_task, bool preempt, struct task_struct *prev)
{
	return prev->in_iowait + prev->no_cgroup_migration;
}

SEC("tp_btf/kfree_skb")
int bad_written(u64 *ctx)
{
	struct sk_buff *skb = (void *)ctx[0];

	skb->pkt_type = 1;
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
