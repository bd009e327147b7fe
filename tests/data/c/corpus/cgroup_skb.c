/* Packets of a control group, both ways. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_CGROUP_STORAGE);
	__type(key, struct bpf_cgroup_storage_key);
	__type(value, __u64);
} bytes SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_CGROUP_STORAGE);
	__type(key, __u64);
	__type(value, __u32[3]);
} packets SEC(".maps");

SEC("cgroup_skb/ingress")
int in(struct __sk_buff *skb)
{
	__u64 *sum = bpf_get_local_storage(&bytes, 0);

	__sync_fetch_and_add(sum, skb->len);
	return 1;
}

SEC("cgroup_skb/egress")
int out(struct __sk_buff *skb)
{
	__u32 *counts = bpf_get_local_storage(&packets, 0);

	counts[skb->ingress_ifindex ? 1 : 2]++;
	return skb->len < 1500;
}

SEC("cgroup/skb")
int either(struct __sk_buff *skb)
{
	return bpf_skb_cgroup_id(skb) != 0;
}

char LICENSE[] SEC("license") = "GPL";
