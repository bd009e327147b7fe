/* Is this packet's socket below that control group? */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_CGROUP_ARRAY);
	__uint(max_entries, 3);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(__u32));
} groups SEC(".maps");

SEC("tc")
int filter(struct __sk_buff *skb)
{
	return bpf_skb_under_cgroup(skb, &groups, 2) == 1 ? 2 : 0;
}

SEC("tp/sched/sched_switch")
int inside(void *record)
{
	return bpf_current_task_under_cgroup(&groups, 0);
}

char LICENSE[] SEC("license") = "GPL";
