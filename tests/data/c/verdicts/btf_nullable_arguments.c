/* Arguments of tracepoints that may be NULL. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

SEC("tp_btf/kfree_skb")
int BPF_PROG(ok_checked, struct sk_buff *skb, void *location, int reason, struct sock *rx_sk)
{
	if (rx_sk)
		return rx_sk->__sk_common.skc_family;
	return skb->len;
}

SEC("tp_btf/kfree_skb")
int BPF_PROG(bad_unchecked, struct sk_buff *skb, void *location, int reason, struct sock *rx_sk)
{
	return rx_sk->__sk_common.skc_family;
}

SEC("tp_btf/tcp_send_reset")
int BPF_PROG(ok_reset, struct sock *sk, struct sk_buff *skb)
{
	return (sk ? sk->__sk_common.skc_family : 0) + (skb ? skb->len : 0);
}

SEC("tp_btf/tcp_send_reset")
int BPF_PROG(bad_reset, struct sock *sk, struct sk_buff *skb)
{
	return sk ? skb->len : 0;
}

char LICENSE[] SEC("license") = "GPL";
