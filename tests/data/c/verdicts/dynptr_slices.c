// Direct access to a dynptr's memory: for a constant size, checked for NULL, while the dynptr lives.
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char _license[] SEC("license") = "GPL";

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} events SEC(".maps");

char buffer[64];

SEC("tc")
int ok_of_a_record(struct __sk_buff *skb)
{
	struct bpf_dynptr record;
	__u64 *words;

	bpf_ringbuf_reserve_dynptr(&events, 64, 0, &record);
	words = bpf_dynptr_data(&record, 0, 16);
	if (words) {
		words[0] = skb->len;
		words[1] = skb->protocol;
	}
	bpf_ringbuf_submit_dynptr(&record, 0);
	return 0;
}

SEC("tc")
int ok_at_an_index_in_it(struct __sk_buff *skb)
{
	struct bpf_dynptr memory;
	__u32 index = skb->len;
	char *bytes;

	bpf_dynptr_from_mem(buffer, sizeof(buffer), 0, &memory);
	bytes = bpf_dynptr_data(&memory, skb->mark, 32);
	if (!bytes || index >= 32)
		return 0;
	bytes[index]++;
	return 1;
}

SEC("tc")
int bad_at_an_index_one_past_it(struct __sk_buff *skb)
{
	struct bpf_dynptr memory;
	__u32 index = skb->len;
	char *bytes;

	bpf_dynptr_from_mem(buffer, sizeof(buffer), 0, &memory);
	bytes = bpf_dynptr_data(&memory, skb->mark, 32);
	if (!bytes || index > 32)
		return 0;
	bytes[index]++;
	return 1;
}

SEC("tc")
int bad_not_checked(struct __sk_buff *skb)
{
	struct bpf_dynptr memory;
	__u64 *words;

	bpf_dynptr_from_mem(buffer, sizeof(buffer), 0, &memory);
	words = bpf_dynptr_data(&memory, 0, 16);
	words[0] = skb->len;
	return 0;
}

SEC("tc")
int bad_of_a_size_known_at_run_time(struct __sk_buff *skb)
{
	struct bpf_dynptr memory;
	char *bytes;

	bpf_dynptr_from_mem(buffer, sizeof(buffer), 0, &memory);
	bytes = bpf_dynptr_data(&memory, 0, skb->len & 31);
	return bytes ? bytes[0] : 0;
}

SEC("tc")
int bad_after_the_record_was_submitted(struct __sk_buff *skb)
{
	struct bpf_dynptr record;
	__u64 *words;

	bpf_ringbuf_reserve_dynptr(&events, 64, 0, &record);
	words = bpf_dynptr_data(&record, 0, 16);
	if (!words) {
		bpf_ringbuf_discard_dynptr(&record, 0);
		return 0;
	}
	bpf_ringbuf_submit_dynptr(&record, 0);
	return words[0];
}

SEC("tc")
int ok_of_another_record(struct __sk_buff *skb)
{
	struct bpf_dynptr first, second;
	__u64 *words, result = 0;

	bpf_ringbuf_reserve_dynptr(&events, 64, 0, &first);
	bpf_ringbuf_reserve_dynptr(&events, 64, 0, &second);
	words = bpf_dynptr_data(&first, 0, 16);
	bpf_ringbuf_submit_dynptr(&second, 0);
	if (words)
		result = words[0];
	bpf_ringbuf_submit_dynptr(&first, 0);
	return result;
}
