/* Sections that say where a tc program attaches. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("tc/ingress")
int tc_in(struct __sk_buff *skb)
{
	return 0;
}

SEC("tc/egress")
int tc_out(struct __sk_buff *skb)
{
	return 0;
}

SEC("tcx/ingress")
int tcx_in(struct __sk_buff *skb)
{
	return -1;
}

SEC("tcx/egress")
int tcx_out(struct __sk_buff *skb)
{
	return -1;
}

SEC("netkit/primary")
int primary(struct __sk_buff *skb)
{
	return 0;
}

SEC("netkit/peer")
int peer(struct __sk_buff *skb)
{
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
