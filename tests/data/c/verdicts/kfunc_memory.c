/* Memory of a size that the next argument tells, or that the type has. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

SEC("tc")
int ok_two_pairs(struct __sk_buff *skb)
{
	struct bpf_sock_tuple tuple = {};
	struct bpf_ct_opts opts = { .netns_id = -1, .l4proto = 6 };
	struct nf_conn *flow;

	flow = bpf_skb_ct_lookup(skb, &tuple, sizeof(tuple.ipv4), &opts, sizeof(opts));
	if (flow)
		bpf_ct_release(flow);
	return 0;
}

SEC("tc")
int bad_beyond_the_stack(struct __sk_buff *skb)
{
	struct bpf_ct_opts opts = { .netns_id = -1, .l4proto = 6 };
	struct nf_conn *flow;
	u32 tuple = 0;

	flow = bpf_skb_ct_lookup(skb, (void *)&tuple, 600, &opts, sizeof(opts));
	if (flow)
		bpf_ct_release(flow);
	return 0;
}

SEC("tc")
int bad_size_has_no_bound(struct __sk_buff *skb)
{
	struct bpf_sock_tuple tuple = {};
	struct bpf_ct_opts opts = { .netns_id = -1, .l4proto = 6 };
	struct nf_conn *flow;

	flow = bpf_skb_ct_lookup(skb, &tuple, skb->len, &opts, sizeof(opts));
	if (flow)
		bpf_ct_release(flow);
	return 0;
}

SEC("tc")
int bad_size_is_negative(struct __sk_buff *skb)
{
	struct bpf_sock_tuple tuple = {};
	struct bpf_ct_opts opts = { .netns_id = -1, .l4proto = 6 };
	struct nf_conn *flow;
	long size = (int)skb->len;

	if (size > 8)
		return 0;
	flow = bpf_skb_ct_lookup(skb, &tuple, size, &opts, sizeof(opts));
	if (flow)
		bpf_ct_release(flow);
	return 0;
}

SEC("tc")
int bad_number_for_memory(struct __sk_buff *skb)
{
	struct bpf_ct_opts opts = { .netns_id = -1, .l4proto = 6 };
	struct nf_conn *flow;

	flow = bpf_skb_ct_lookup(skb, (void *)1, 12, &opts, sizeof(opts));
	if (flow)
		bpf_ct_release(flow);
	return 0;
}

SEC("tc")
int bad_context_for_memory(struct __sk_buff *skb)
{
	struct bpf_ct_opts opts = { .netns_id = -1, .l4proto = 6 };
	struct nf_conn *flow;

	flow = bpf_skb_ct_lookup(skb, (void *)skb, 12, &opts, sizeof(opts));
	if (flow)
		bpf_ct_release(flow);
	return 0;
}

SEC("tc")
int bad_context_is_memory(struct __sk_buff *skb)
{
	struct bpf_sock_tuple tuple = {};
	struct bpf_ct_opts opts = { .netns_id = -1, .l4proto = 6 };
	struct nf_conn *flow;

	flow = bpf_skb_ct_lookup((void *)&tuple, &tuple, 12, &opts, sizeof(opts));
	if (flow)
		bpf_ct_release(flow);
	return 0;
}

SEC("tc")
int bad_leaked(struct __sk_buff *skb)
{
	struct bpf_sock_tuple tuple = {};
	struct bpf_ct_opts opts = { .netns_id = -1, .l4proto = 6 };

	return bpf_skb_ct_lookup(skb, &tuple, sizeof(tuple.ipv4), &opts, sizeof(opts)) != 0;
}

SEC("tc")
int bad_not_inserted(struct __sk_buff *skb)
{
	struct bpf_sock_tuple tuple = {};
	struct bpf_ct_opts opts = { .netns_id = -1, .l4proto = 6 };
	struct nf_conn *flow;

	flow = bpf_skb_ct_lookup(skb, &tuple, sizeof(tuple.ipv4), &opts, sizeof(opts));
	if (!flow)
		return 0;
	bpf_ct_set_timeout((void *)flow, 100);
	bpf_ct_release(flow);
	return 0;
}

SEC("tc")
int ok_new_flow(struct __sk_buff *skb)
{
	struct bpf_sock_tuple tuple = {};
	struct bpf_ct_opts opts = { .netns_id = -1, .l4proto = 6 };
	struct nf_conn___init *made;
	struct nf_conn *flow;

	made = bpf_skb_ct_alloc(skb, &tuple, sizeof(tuple.ipv4), &opts, sizeof(opts));
	if (!made)
		return 0;
	bpf_ct_set_timeout(made, 100);
	flow = bpf_ct_insert_entry(made);
	if (flow)
		bpf_ct_release(flow);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
