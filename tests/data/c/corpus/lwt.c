/* Lightweight tunnels. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#define SEG6_LOCAL_ACTION_END_T 3

SEC("lwt_in") int in(struct __sk_buff *skb)
{
	return skb->protocol == 0x0008 ? BPF_OK : BPF_DROP;
}
SEC("lwt_out") int out(struct __sk_buff *skb)
{
	skb->cb[0] = 4;
	return BPF_OK;
}
SEC("lwt_xmit") int xmit(struct __sk_buff *skb)
{
	void *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;

	if (data + 20 > end)
		return BPF_DROP;
	return bpf_skb_change_head(skb, 14, 0) ? BPF_DROP : BPF_OK;
}
SEC("lwt_seg6local") int seg6(struct __sk_buff *skb)
{
	__u32 table = 254;

	if (bpf_lwt_seg6_action(skb, SEG6_LOCAL_ACTION_END_T, &table, sizeof(table)))
		return BPF_DROP;
	return BPF_REDIRECT;
}

char LICENSE[] SEC("license") = "GPL";
