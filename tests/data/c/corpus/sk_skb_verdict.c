/* A verdict on streams that are not parsed first. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("sk_skb/verdict")
int verdict(struct __sk_buff *skb)
{
	return skb->len > 100 ? SK_PASS : SK_DROP;
}

char LICENSE[] SEC("license") = "GPL";
