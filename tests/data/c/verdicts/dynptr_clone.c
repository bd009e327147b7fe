// Clones of dynptrs: they share the memory, and the duty to give a record back, once.
#define BPF_NO_KFUNC_PROTOTYPES
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char _license[] SEC("license") = "GPL";

extern int bpf_dynptr_clone(const struct bpf_dynptr *ptr, struct bpf_dynptr *clone) __ksym;
extern int bpf_dynptr_adjust(const struct bpf_dynptr *ptr, u32 start, u32 end) __ksym;

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} events SEC(".maps");

char buffer[64];

SEC("tc")
int ok_of_memory(struct __sk_buff *skb)
{
	struct bpf_dynptr memory, clone;
	__u64 word = 0;

	bpf_dynptr_from_mem(buffer, sizeof(buffer), 0, &memory);
	bpf_dynptr_clone(&memory, &clone);
	bpf_dynptr_adjust(&clone, 8, 16);
	bpf_dynptr_read(&word, sizeof(word), &clone, 0, 0);
	bpf_dynptr_write(&memory, 0, &word, sizeof(word), 0);
	return 0;
}

SEC("tc")
int ok_the_clone_given_back(struct __sk_buff *skb)
{
	struct bpf_dynptr record, clone;

	bpf_ringbuf_reserve_dynptr(&events, 64, 0, &record);
	bpf_dynptr_clone(&record, &clone);
	bpf_ringbuf_submit_dynptr(&clone, 0);
	return 0;
}

SEC("tc")
int bad_both_given_back(struct __sk_buff *skb)
{
	struct bpf_dynptr record, clone;

	bpf_ringbuf_reserve_dynptr(&events, 64, 0, &record);
	bpf_dynptr_clone(&record, &clone);
	bpf_ringbuf_submit_dynptr(&clone, 0);
	bpf_ringbuf_submit_dynptr(&record, 0);
	return 0;
}

SEC("tc")
int bad_none_given_back(struct __sk_buff *skb)
{
	struct bpf_dynptr record, clone;

	bpf_ringbuf_reserve_dynptr(&events, 64, 0, &record);
	bpf_dynptr_clone(&record, &clone);
	return 0;
}

SEC("tc")
int bad_the_other_used_afterwards(struct __sk_buff *skb)
{
	struct bpf_dynptr record, clone;
	__u64 word = 0;

	bpf_ringbuf_reserve_dynptr(&events, 64, 0, &record);
	bpf_dynptr_clone(&record, &clone);
	bpf_ringbuf_submit_dynptr(&record, 0);
	bpf_dynptr_write(&clone, 0, &word, sizeof(word), 0);
	return 0;
}

SEC("tc")
int bad_a_slice_of_the_clone_after_the_record(struct __sk_buff *skb)
{
	struct bpf_dynptr record, clone;
	__u64 *words;

	bpf_ringbuf_reserve_dynptr(&events, 64, 0, &record);
	bpf_dynptr_clone(&record, &clone);
	words = bpf_dynptr_data(&clone, 0, sizeof(*words));
	bpf_ringbuf_submit_dynptr(&record, 0);
	return words ? *words : 0;
}

SEC("tc")
int bad_of_nothing(struct __sk_buff *skb)
{
	struct bpf_dynptr record, clone;

	return bpf_dynptr_clone(&record, &clone);
}

SEC("tc")
int bad_over_a_record(struct __sk_buff *skb)
{
	struct bpf_dynptr memory, record;

	bpf_dynptr_from_mem(buffer, sizeof(buffer), 0, &memory);
	bpf_ringbuf_reserve_dynptr(&events, 64, 0, &record);
	bpf_dynptr_clone(&memory, &record);
	return 0;
}
