/* What lies in unions has no trust, and numbers may be read past their end there. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, u64);
} seen SEC(".maps");

SEC("tp_btf/kfree_skb")
int BPF_PROG(ok_read, struct sk_buff *skb)
{
	struct net_device *dev = skb->dev;

	return dev->ifindex + skb->cb[5] + *(u64 *)&skb->cb[8];
}

SEC("tp_btf/kfree_skb")
int BPF_PROG(ok_socket, struct sk_buff *skb)
{
	struct sock *sk = skb->sk;

	return sk ? sk->__sk_common.skc_family : 0;
}

SEC("tp_btf/kfree_skb")
int BPF_PROG(bad_socket_unchecked, struct sk_buff *skb)
{
	return skb->sk->__sk_common.skc_family;
}

SEC("tp_btf/kfree_skb")
int BPF_PROG(bad_next_is_untrusted, struct sk_buff *skb)
{
	struct sk_buff *next = skb->next;

	return bpf_skb_output(next, &seen, 0, &next, 8);
}

char LICENSE[] SEC("license") = "GPL";
