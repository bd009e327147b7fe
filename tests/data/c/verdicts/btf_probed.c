/* Memory that is no struct is probed: read at any offset, never written, no argument. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

SEC("tp_btf/kfree_skb")
int BPF_PROG(ok_read, struct sk_buff *skb)
{
	return skb->head[100 + (bpf_get_prandom_u32() & 0xff)];
}

SEC("tp_btf/kfree_skb")
int BPF_PROG(bad_written, struct sk_buff *skb)
{
	skb->head[1] = 2;
	return 0;
}

SEC("tp_btf/kfree_skb")
int BPF_PROG(bad_argument, struct sk_buff *skb)
{
	char text[8] = "";

	bpf_snprintf(text, sizeof(text), "%d", (void *)skb->data, 8);
	return bpf_strncmp((void *)skb->data, 4, "abc") + text[0];
}

SEC("tp_btf/kfree_skb")
int BPF_PROG(ok_copied, struct sk_buff *skb)
{
	u32 word = 0;

	bpf_probe_read_kernel(&word, sizeof(word), skb->data);
	return word;
}

char LICENSE[] SEC("license") = "GPL";
