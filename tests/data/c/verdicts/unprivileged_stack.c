/* Loaded without CAP_PERFMON: stack bytes are written before they are read. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

struct event {
	u64 when;
	u8 kind;
};

struct {
	__uint(type, BPF_MAP_TYPE_QUEUE);
	__uint(max_entries, 8);
	__type(value, struct event);
} events SEC(".maps");

SEC("socket")
int ok_every_byte(struct __sk_buff *skb)
{
	struct event event;

	__builtin_memset(&event, 0, sizeof(event));
	event.kind = 1;
	event.when = skb->len;
	return bpf_map_push_elem(&events, &event, BPF_ANY);
}

SEC("socket")
int ok_padding_of_what_was_spilled(struct __sk_buff *skb)
{
	volatile struct event event;

	event.kind = 1;
	event.when = skb->len;
	return bpf_map_push_elem(&events, (void *)&event, BPF_ANY);
}

SEC("socket")
int bad_half_of_it(struct __sk_buff *skb)
{
	volatile struct event event;

	event.when = skb->len;
	return bpf_map_push_elem(&events, (void *)&event, BPF_ANY);
}

SEC("socket")
int ok_filled_by_the_helper(struct __sk_buff *skb)
{
	struct event event;

	if (bpf_map_pop_elem(&events, &event))
		return 0;
	return event.kind;
}

SEC("socket")
int bad_one_path(struct __sk_buff *skb)
{
	u64 number;

	asm volatile("if %[len] == 0 goto +1\n"
		     "*(u64 *)(r10 - 8) = %[len]\n"
		     "%[number] = *(u64 *)(r10 - 8)\n"
		     : [number] "=r"(number) : [len] "r"(skb->len));
	return number;
}

SEC("socket")
int bad_a_size_that_varies(struct __sk_buff *skb)
{
	char bytes[16];

	/* As much is loaded as fits: the rest stays what it was. */
	return bpf_skb_load_bytes(skb, 0, bytes, (skb->len & 7) + 1);
}

SEC("socket")
int ok_a_size_that_varies(struct __sk_buff *skb)
{
	char bytes[8];

	__builtin_memset(bytes, 0, sizeof(bytes));
	return bpf_skb_load_bytes(skb, 0, bytes, (skb->len & 7) + 1);
}

char LICENSE[] SEC("license") = "GPL";
