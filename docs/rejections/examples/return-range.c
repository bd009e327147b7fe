#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char _license[] SEC("license") = "GPL";

SEC("cgroup_skb/ingress")
int bad(struct __sk_buff *skb)
{
	return skb->len;
}

SEC("cgroup_skb/ingress")
int good(struct __sk_buff *skb)
{
	return skb->len > 1000;
}
