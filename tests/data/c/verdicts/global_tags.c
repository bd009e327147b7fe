// What tags say of a global function's arguments: never NULL, the context, a struct of the kernel.
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char _license[] SEC("license") = "GPL";

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, int);
	__type(value, int);
} numbers SEC(".maps");

__noinline int get(int *where __arg_nonnull)
{
	return *where;
}

__noinline int length(void *ctx __arg_ctx)
{
	struct __sk_buff *skb = ctx;

	return skb->len;
}

__noinline int length_of(struct __sk_buff *skb)
{
	return skb->len;
}

__noinline int wrong_context(struct xdp_md *ctx __arg_ctx)
{
	return ctx->rx_queue_index;
}

__noinline int number_with_tag(int value __arg_nonnull)
{
	barrier_var(value);
	return value;
}

__noinline int combined(struct __sk_buff *skb __arg_ctx __arg_nonnull)
{
	return skb->len;
}

__noinline int nullable_memory(int *where __arg_nullable)
{
	return where ? *where : 0;
}

__noinline int peek(int *where __arg_untrusted)
{
	return where[1000];
}

__noinline int poke(int *where __arg_untrusted)
{
	*where = 1;
	return 0;
}

SEC("tc")
int ok_never_null(struct __sk_buff *skb)
{
	int here = 3;

	return get(&here) & 1;
}

SEC("tc")
int bad_may_be_null(struct __sk_buff *skb)
{
	int key = 0;

	return get(bpf_map_lookup_elem(&numbers, &key)) & 1;
}

SEC("tc")
int bad_is_null(struct __sk_buff *skb)
{
	int *none = 0;

	barrier_var(none);
	return get(none) & 1;
}

SEC("tc")
int ok_context(struct __sk_buff *skb)
{
	return length(skb) + length_of(skb) > 100;
}

SEC("tc")
int bad_no_context(struct __sk_buff *skb)
{
	int here = 3;

	return length(&here) > 100;
}

SEC("tc")
int bad_context_of_another_type(struct __sk_buff *skb)
{
	return wrong_context((void *)skb) > 100;
}

SEC("tc")
int bad_tag_on_a_number(struct __sk_buff *skb)
{
	return number_with_tag(skb->len) > 100;
}

SEC("tc")
int bad_combination(struct __sk_buff *skb)
{
	return combined(skb) > 100;
}

SEC("tc")
int bad_nullable_memory(struct __sk_buff *skb)
{
	int here = 3;

	return nullable_memory(&here) > 100;
}

SEC("tc")
int ok_untrusted(struct __sk_buff *skb)
{
	return peek((int *)(long)skb->len) & 1;
}

SEC("tc")
int bad_write_to_untrusted(struct __sk_buff *skb)
{
	return poke((int *)(long)skb->len) & 1;
}
