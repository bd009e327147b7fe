/* Which members a congestion control writes. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

static struct tcp_sock *tcp(struct sock *sk)
{
	return (struct tcp_sock *)sk;
}

SEC("struct_ops/ok_written")
void BPF_PROG(ok_written, struct sock *sk)
{
	struct inet_connection_sock *icsk = (struct inet_connection_sock *)sk;

	tcp(sk)->snd_ssthresh = 10;
	icsk->icsk_ca_priv[1] = 5;
	sk->sk_pacing_rate = 1000;
}

SEC("struct_ops/bad_sequence")
__u32 BPF_PROG(bad_sequence, struct sock *sk)
{
	tcp(sk)->rcv_nxt = 1;
	return 0;
}

SEC("struct_ops/bad_family")
__u32 BPF_PROG(bad_family, struct sock *sk)
{
	sk->__sk_common.skc_family = 1;
	return 0;
}

SEC("struct_ops/bad_variable")
void BPF_PROG(bad_variable, struct sock *sk, __u32 ack, __u32 acked)
{
	struct inet_connection_sock *icsk = (struct inet_connection_sock *)sk;

	icsk->icsk_ca_priv[ack & 7] = 5;
}

SEC("struct_ops/bad_event")
void BPF_PROG(bad_event, struct sock *sk, enum tcp_ca_event event)
{
	asm volatile("r1 = *(u64 *)(%[sk] + 0)\n*(u64 *)(r1 + 0) = 0" : : [sk] "r"(sk) : "r1", "memory");
}

SEC(".struct_ops")
struct tcp_congestion_ops ops = {
	.init = (void *)ok_written,
	.ssthresh = (void *)bad_sequence,
	.undo_cwnd = (void *)bad_family,
	.cong_avoid = (void *)bad_variable,
	.cwnd_event = (void *)bad_event,
	.name = "beebox_stores",
};

char LICENSE[] SEC("license") = "GPL";
