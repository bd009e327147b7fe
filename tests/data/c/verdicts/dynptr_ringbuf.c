// Records reserved through a dynptr: written, submitted or discarded, on every path and once.
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char _license[] SEC("license") = "GPL";

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} events SEC(".maps");

struct event {
	__u64 time;
	__u32 length;
};

SEC("tc")
int ok_of_any_length(struct __sk_buff *skb)
{
	struct event event = {.time = bpf_ktime_get_ns(), .length = skb->len};
	struct bpf_dynptr record;

	// Reserving may fail: then the dynptr is empty, and has to be given back all the same.
	if (bpf_ringbuf_reserve_dynptr(&events, sizeof(event) + (skb->len & 1023), 0, &record)) {
		bpf_ringbuf_discard_dynptr(&record, 0);
		return 0;
	}
	bpf_dynptr_write(&record, 0, &event, sizeof(event), 0);
	bpf_ringbuf_submit_dynptr(&record, BPF_RB_NO_WAKEUP);
	return 0;
}

SEC("tc")
int bad_not_given_back_when_reserving_fails(struct __sk_buff *skb)
{
	struct bpf_dynptr record;

	if (bpf_ringbuf_reserve_dynptr(&events, skb->len, 0, &record))
		return 0;
	bpf_ringbuf_submit_dynptr(&record, 0);
	return 0;
}

SEC("tc")
int bad_given_back_twice(struct __sk_buff *skb)
{
	struct bpf_dynptr record;

	bpf_ringbuf_reserve_dynptr(&events, 64, 0, &record);
	bpf_ringbuf_submit_dynptr(&record, 0);
	bpf_ringbuf_discard_dynptr(&record, 0);
	return 0;
}

SEC("tc")
int bad_written_after_it_was_submitted(struct __sk_buff *skb)
{
	struct bpf_dynptr record;
	__u32 length = skb->len;

	bpf_ringbuf_reserve_dynptr(&events, 64, 0, &record);
	bpf_ringbuf_submit_dynptr(&record, 0);
	bpf_dynptr_write(&record, 0, &length, sizeof(length), 0);
	return 0;
}

SEC("tc")
int ok_several_in_turn(struct __sk_buff *skb)
{
	struct bpf_dynptr record;
	__u32 length = skb->len;

	for (int i = 0; i < 5; i++) {
		bpf_ringbuf_reserve_dynptr(&events, 64, 0, &record);
		bpf_dynptr_write(&record, 0, &length, sizeof(length), 0);
		bpf_ringbuf_submit_dynptr(&record, 0);
	}
	return 0;
}

SEC("tc")
int bad_several_at_once_in_one_place(struct __sk_buff *skb)
{
	struct bpf_dynptr record;

	for (int i = 0; i < 5; i++)
		bpf_ringbuf_reserve_dynptr(&events, 64, 0, &record);
	bpf_ringbuf_submit_dynptr(&record, 0);
	return 0;
}
