/* Every old name of a tc program's section. */
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_helpers.h>

__u64 marked;

SEC("tc")
int mark(struct __sk_buff *skb)
{
	skb->mark = 7;
	skb->tc_classid = 1;
	__sync_fetch_and_add(&marked, 1);
	return TC_ACT_OK;
}

SEC("classifier")
int cut(struct __sk_buff *skb)
{
	return bpf_skb_change_tail(skb, 60, 0) ? TC_ACT_SHOT : TC_ACT_PIPE;
}

SEC("action")
int again(struct __sk_buff *skb)
{
	if (bpf_skb_vlan_push(skb, 0x81, 5))
		return TC_ACT_SHOT;
	return TC_ACT_RECLASSIFY;
}

char LICENSE[] SEC("license") = "GPL";
