// Dynptrs over map values: which memory they take, and that they need not be given back.
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char _license[] SEC("license") = "GPL";

struct value {
	__u64 words[8];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, struct value);
} values SEC(".maps");

char buffer[64];

SEC("xdp")
int ok_of_a_global(struct xdp_md *ctx)
{
	struct bpf_dynptr memory;
	__u64 word = 0;

	bpf_dynptr_from_mem(buffer, sizeof(buffer), 0, &memory);
	bpf_dynptr_write(&memory, 8, &word, sizeof(word), 0);
	// At an offset that nobody checks here: the helper does.
	if (bpf_dynptr_read(&word, sizeof(word), &memory, ctx->ingress_ifindex, 0))
		return XDP_ABORTED;
	return word ? XDP_PASS : XDP_DROP;
}

SEC("xdp")
int ok_of_a_value(struct xdp_md *ctx)
{
	struct bpf_dynptr memory;
	__u32 key = ctx->rx_queue_index, word = 0;
	struct value *value = bpf_map_lookup_elem(&values, &key);

	if (!value)
		return XDP_ABORTED;
	bpf_dynptr_from_mem(value->words + 2, 6 * 8, 0, &memory);
	bpf_dynptr_read(&word, sizeof(word), &memory, 0, 0);
	return word ? XDP_PASS : XDP_DROP;
}

SEC("xdp")
int bad_of_a_value_not_checked(struct xdp_md *ctx)
{
	struct bpf_dynptr memory;
	__u32 key = ctx->rx_queue_index;

	bpf_dynptr_from_mem(bpf_map_lookup_elem(&values, &key), 8, 0, &memory);
	return XDP_PASS;
}

SEC("xdp")
int bad_of_the_stack(struct xdp_md *ctx)
{
	struct bpf_dynptr memory;
	__u64 words[2] = {1, 2};

	bpf_dynptr_from_mem(words, sizeof(words), 0, &memory);
	return XDP_PASS;
}

SEC("xdp")
int bad_more_than_there_is(struct xdp_md *ctx)
{
	struct bpf_dynptr memory;
	__u32 key = ctx->rx_queue_index;
	struct value *value = bpf_map_lookup_elem(&values, &key);

	if (value)
		bpf_dynptr_from_mem(value->words + 2, 6 * 8 + 1, 0, &memory);
	return XDP_PASS;
}

SEC("xdp")
int bad_submitted_as_a_record(struct xdp_md *ctx)
{
	struct bpf_dynptr memory;

	bpf_dynptr_from_mem(buffer, sizeof(buffer), 0, &memory);
	bpf_ringbuf_submit_dynptr(&memory, 0);
	return XDP_PASS;
}
