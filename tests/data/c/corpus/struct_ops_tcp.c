/* A congestion control: functions and data of one kernel struct. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

SEC("struct_ops/beebox_init")
void BPF_PROG(beebox_init, struct sock *sk)
{
	struct tcp_sock *tp = (struct tcp_sock *)sk;

	tp->snd_ssthresh = 0x7fffffff;
}

SEC("struct_ops/beebox_ssthresh")
__u32 BPF_PROG(beebox_ssthresh, struct sock *sk)
{
	struct tcp_sock *tp = (struct tcp_sock *)sk;

	return tp->snd_cwnd / 2 > 2 ? tp->snd_cwnd / 2 : 2;
}

SEC("struct_ops/beebox_undo")
__u32 BPF_PROG(beebox_undo, struct sock *sk)
{
	return ((struct tcp_sock *)sk)->snd_cwnd;
}

SEC("struct_ops/beebox_avoid")
void BPF_PROG(beebox_avoid, struct sock *sk, __u32 ack, __u32 acked)
{
	((struct tcp_sock *)sk)->snd_cwnd++;
}

SEC(".struct_ops")
struct tcp_congestion_ops beebox_cc = {
	.init = (void *)beebox_init,
	.ssthresh = (void *)beebox_ssthresh,
	.undo_cwnd = (void *)beebox_undo,
	.cong_avoid = (void *)beebox_avoid,
	.name = "beebox_cc",
};

char LICENSE[] SEC("license") = "GPL";
