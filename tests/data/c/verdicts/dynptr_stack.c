// The 16 bytes of stack that a dynptr is: not to be read, and lost when they are written to.
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char _license[] SEC("license") = "GPL";

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} events SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4);
	__type(key, struct bpf_dynptr);
	__type(value, __u64);
} by_dynptr SEC(".maps");

char buffer[64];

SEC("tc")
int bad_read(struct __sk_buff *skb)
{
	struct bpf_dynptr memory;

	bpf_dynptr_from_mem(buffer, sizeof(buffer), 0, &memory);
	return *(volatile __u64 *)&memory != 0;
}

SEC("tc")
int bad_as_a_key(struct __sk_buff *skb)
{
	struct bpf_dynptr memory;

	bpf_dynptr_from_mem(buffer, sizeof(buffer), 0, &memory);
	return bpf_map_lookup_elem(&by_dynptr, &memory) != 0;
}

SEC("tc")
int ok_overwritten_and_forgotten(struct __sk_buff *skb)
{
	struct bpf_dynptr memory;

	bpf_dynptr_from_mem(buffer, sizeof(buffer), 0, &memory);
	*(volatile __u64 *)&memory = 7;
	return *(volatile __u64 *)&memory == 7;
}

SEC("tc")
int bad_used_after_it_was_overwritten(struct __sk_buff *skb)
{
	struct bpf_dynptr memory;
	char byte;

	bpf_dynptr_from_mem(buffer, sizeof(buffer), 0, &memory);
	((volatile char *)&memory)[15] = 7;
	return bpf_dynptr_read(&byte, 1, &memory, 0, 0);
}

SEC("tc")
int bad_a_record_s_overwritten(struct __sk_buff *skb)
{
	struct bpf_dynptr record;

	bpf_ringbuf_reserve_dynptr(&events, 64, 0, &record);
	((volatile char *)&record)[15] = 7;
	bpf_ringbuf_submit_dynptr(&record, 0);
	return 0;
}

SEC("tc")
int bad_read_into_itself(struct __sk_buff *skb)
{
	struct bpf_dynptr memory;

	bpf_dynptr_from_mem(buffer, sizeof(buffer), 0, &memory);
	return bpf_dynptr_read(&memory, sizeof(memory), &memory, 0, 0);
}

SEC("tc")
int ok_made_again(struct __sk_buff *skb)
{
	struct bpf_dynptr memory;
	__u64 word = 0;

	bpf_dynptr_from_mem(buffer, sizeof(buffer), 0, &memory);
	bpf_dynptr_from_mem(buffer + 8, 8, 0, &memory);
	bpf_dynptr_read(&word, sizeof(word), &memory, 0, 0);
	return word != 0;
}

SEC("tc")
int bad_its_old_slice(struct __sk_buff *skb)
{
	struct bpf_dynptr memory;
	char *bytes;

	bpf_dynptr_from_mem(buffer, sizeof(buffer), 0, &memory);
	bytes = bpf_dynptr_data(&memory, 0, 8);
	if (!bytes)
		return 0;
	bpf_dynptr_from_mem(buffer + 8, 8, 0, &memory);
	return bytes[0];
}
