// Global functions are verified by themselves: numbers of any value, memory of its type's size.
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char _license[] SEC("license") = "GPL";

struct pair {
	long first, second;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, int);
	__type(value, struct pair);
} pairs SEC(".maps");

int table[8];

__noinline int sum(struct pair *pair)
{
	if (!pair)
		return 0;
	return pair->first + pair->second;
}

__noinline int sum_unchecked(struct pair *pair)
{
	return pair->first + pair->second;
}

__noinline int beyond(struct pair *pair)
{
	if (!pair)
		return 0;
	return *(int *)(pair + 1);
}

__noinline int at(unsigned int index)
{
	if (index >= 8)
		return 0;
	return table[index];
}

__noinline int at_unchecked(unsigned int index)
{
	asm volatile("" : "+r"(index));
	return table[index];
}

__noinline int set(struct pair *pair, long value)
{
	if (!pair)
		return -1;
	pair->first = value;
	return 0;
}

__noinline int opaque(void *memory)
{
	return memory ? 1 : 0;
}

SEC("xdp")
int ok_stack_map_and_null(struct xdp_md *ctx)
{
	struct pair here = { 1, 2 };
	int key = 0;
	struct pair *there = bpf_map_lookup_elem(&pairs, &key);

	return (sum(&here) + sum(there) + sum(0) + set(&here, 5)) & 1 ? XDP_PASS : XDP_DROP;
}

SEC("xdp")
int bad_unchecked_null(struct xdp_md *ctx)
{
	struct pair here = { ctx->ingress_ifindex, 2 };

	return sum_unchecked(&here) & 1 ? XDP_PASS : XDP_DROP;
}

SEC("xdp")
int bad_beyond_the_type(struct xdp_md *ctx)
{
	struct pair here[2] = { { ctx->ingress_ifindex, 2 }, { 3, 4 } };

	return beyond(here) & 1 ? XDP_PASS : XDP_DROP;
}

SEC("xdp")
int ok_any_index(struct xdp_md *ctx)
{
	return at(ctx->ingress_ifindex) ? XDP_PASS : XDP_DROP;
}

SEC("xdp")
int bad_index_known_to_the_caller(struct xdp_md *ctx)
{
	return at_unchecked(3) ? XDP_PASS : XDP_DROP;
}

SEC("xdp")
int bad_too_little_memory(struct xdp_md *ctx)
{
	long here = 1;

	return sum((struct pair *)&here) & 1 ? XDP_PASS : XDP_DROP;
}

SEC("xdp")
int bad_result_is_any_number(struct xdp_md *ctx)
{
	return table[at(1)];
}

SEC("xdp")
int bad_context_as_memory(struct xdp_md *ctx)
{
	return sum((struct pair *)ctx) & 1 ? XDP_PASS : XDP_DROP;
}

SEC("xdp")
int bad_memory_of_no_size(struct xdp_md *ctx)
{
	long here = 1;

	return opaque(&here) ? XDP_PASS : XDP_DROP;
}
