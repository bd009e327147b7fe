/* Sockets as structs of the kernel: casts live as long as what was cast. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

static struct bpf_sock *look(struct __sk_buff *skb)
{
	struct bpf_sock_tuple tuple = {};

	return bpf_sk_lookup_tcp(skb, &tuple, sizeof(tuple.ipv4), BPF_F_CURRENT_NETNS, 0);
}

SEC("tc")
int ok_cast(struct __sk_buff *skb)
{
	struct bpf_sock *sk = look(skb);
	struct tcp_sock *tcp;
	int found = 0;

	if (!sk)
		return 0;
	tcp = bpf_skc_to_tcp_sock(sk);
	if (tcp)
		found = tcp->snd_cwnd;
	bpf_sk_release(sk);
	return found;
}

SEC("tc")
int bad_cast_unchecked(struct __sk_buff *skb)
{
	struct bpf_sock *sk = look(skb);
	int found;

	if (!sk)
		return 0;
	found = bpf_skc_to_tcp_sock(sk)->snd_cwnd;
	bpf_sk_release(sk);
	return found;
}

SEC("tc")
int bad_after_release(struct __sk_buff *skb)
{
	struct bpf_sock *sk = look(skb);
	struct tcp_sock *tcp;

	if (!sk)
		return 0;
	tcp = bpf_skc_to_tcp_sock(sk);
	bpf_sk_release(sk);
	return tcp ? tcp->snd_cwnd : 0;
}

SEC("tc")
int ok_released_by_cast(struct __sk_buff *skb)
{
	struct bpf_sock *sk = look(skb);
	struct tcp_sock *tcp;

	if (!sk)
		return 0;
	tcp = bpf_skc_to_tcp_sock(sk);
	if (!tcp) {
		bpf_sk_release(sk);
		return 0;
	}
	bpf_sk_release(tcp);
	return 1;
}

SEC("iter/tcp")
int ok_of_iterator(struct bpf_iter__tcp *ctx)
{
	struct sock_common *sk = ctx->sk_common;
	struct tcp6_sock *tcp;

	if (!sk)
		return 0;
	tcp = bpf_skc_to_tcp6_sock(sk);
	return tcp ? tcp->tcp.snd_cwnd & 1 : 0;
}

SEC("iter/tcp")
int bad_null_argument(struct bpf_iter__tcp *ctx)
{
	return bpf_skc_to_tcp_sock(ctx->sk_common) != 0;
}

char LICENSE[] SEC("license") = "GPL";
