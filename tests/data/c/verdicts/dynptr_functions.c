// Dynptrs that functions of the program get, make and give back.
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char _license[] SEC("license") = "GPL";

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} events SEC(".maps");

static __noinline void reserve(struct bpf_dynptr *record)
{
	bpf_ringbuf_reserve_dynptr(&events, 64, 0, record);
}

static __noinline long fill(struct bpf_dynptr *record, __u64 word)
{
	return bpf_dynptr_write(record, 0, &word, sizeof(word), 0);
}

static __noinline void submit(struct bpf_dynptr *record)
{
	bpf_ringbuf_submit_dynptr(record, 0);
}

SEC("tc")
int ok_made_filled_and_given_back_elsewhere(struct __sk_buff *skb)
{
	struct bpf_dynptr record;

	reserve(&record);
	fill(&record, skb->len);
	submit(&record);
	return 0;
}

SEC("tc")
int bad_filled_before_it_is_made(struct __sk_buff *skb)
{
	struct bpf_dynptr record;

	fill(&record, skb->len);
	reserve(&record);
	submit(&record);
	return 0;
}

SEC("tc")
int bad_kept(struct __sk_buff *skb)
{
	struct bpf_dynptr record;

	reserve(&record);
	fill(&record, skb->len);
	return 0;
}

static __noinline int lose(void)
{
	struct bpf_dynptr record;

	return bpf_ringbuf_reserve_dynptr(&events, 64, 0, &record);
}

SEC("tc")
int bad_left_in_a_frame_that_ended(struct __sk_buff *skb)
{
	return lose();
}

static long each(__u32 index, struct bpf_dynptr *record)
{
	bpf_dynptr_write(record, index, &index, 1, 0);
	return 0;
}

SEC("tc")
int ok_filled_by_a_loop_s_function(struct __sk_buff *skb)
{
	struct bpf_dynptr record;

	reserve(&record);
	bpf_loop(64, each, &record, 0);
	submit(&record);
	return 0;
}

static long give_back(__u32 index, struct bpf_dynptr *record)
{
	bpf_ringbuf_submit_dynptr(record, 0);
	return 1;
}

SEC("tc")
int bad_given_back_by_a_loop_s_function(struct __sk_buff *skb)
{
	struct bpf_dynptr record;

	reserve(&record);
	bpf_loop(1, give_back, &record, 0);
	return 0;
}
