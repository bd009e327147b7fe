// What a global function returns: a number; of its pointers nothing comes back.
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char _license[] SEC("license") = "GPL";

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, int);
	__type(value, long);
} values SEC(".maps");

__noinline int *pointer(int *which)
{
	barrier_var(which);
	return which;
}

__noinline long address(void)
{
	int key = 0;

	return (long)bpf_map_lookup_elem(&values, &key);
}

enum answer { NO, YES };

char bytes[4];

__noinline enum answer answer(int value)
{
	return value > 3 ? YES : NO;
}

__noinline int many(int *value __arg_nonnull, long add)
{
	*value += add;
	return 0;
}

SEC("socket")
int ok_enum(struct __sk_buff *skb)
{
	return answer(skb->len);
}

SEC("socket")
int bad_returns_pointer_by_type(struct __sk_buff *skb)
{
	int here = 1;

	return (long)pointer(&here) & 1;
}

SEC("socket")
int bad_returns_pointer_as_number(struct __sk_buff *skb)
{
	return address() != 0;
}

SEC("socket")
int ok_memory_is_any_number_after(struct __sk_buff *skb)
{
	int index = 1;

	many(&index, 1);
	return index;
}

SEC("socket")
int bad_memory_is_not_what_it_was(struct __sk_buff *skb)
{
	int index = 1;

	many(&index, 1);
	return bytes[index];
}
