// Slices and clones that outlive what they point to. Linux misses most of these.
#define BPF_NO_KFUNC_PROTOTYPES
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char _license[] SEC("license") = "GPL";

extern int bpf_dynptr_clone(const struct bpf_dynptr *ptr, struct bpf_dynptr *clone) __ksym;
extern int bpf_dynptr_from_skb(struct __sk_buff *skb, u64 flags, struct bpf_dynptr *ptr) __ksym;
extern void *bpf_dynptr_slice(const struct bpf_dynptr *ptr, u32 offset, void *buffer,
			      u32 buffer__szk) __ksym;
extern void *bpf_dynptr_slice_rdwr(const struct bpf_dynptr *ptr, u32 offset, void *buffer,
				   u32 buffer__szk) __ksym;
extern int bpf_dynptr_copy(struct bpf_dynptr *dst, u32 dst_off, struct bpf_dynptr *src, u32 src_off,
			   u32 size) __ksym;

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} events SEC(".maps");

char buffer[64];

SEC("tc")
int ok_a_writable_slice_of_a_record(struct __sk_buff *skb)
{
	struct bpf_dynptr record;
	__u64 *word;

	bpf_ringbuf_reserve_dynptr(&events, 64, 0, &record);
	word = bpf_dynptr_slice_rdwr(&record, 0, 0, sizeof(*word));
	if (word)
		*word = 1;
	bpf_ringbuf_submit_dynptr(&record, 0);
	return 0;
}

SEC("tc")
int bad_a_writable_slice_of_a_submitted_record(struct __sk_buff *skb)
{
	struct bpf_dynptr record;
	__u64 *word;

	bpf_ringbuf_reserve_dynptr(&events, 64, 0, &record);
	word = bpf_dynptr_slice_rdwr(&record, 0, 0, sizeof(*word));
	bpf_ringbuf_submit_dynptr(&record, 0);
	if (word)
		*word = 1;
	return 0;
}

SEC("tc")
int bad_a_slice_of_a_submitted_record(struct __sk_buff *skb)
{
	struct bpf_dynptr record;
	__u64 *word;

	bpf_ringbuf_reserve_dynptr(&events, 64, 0, &record);
	word = bpf_dynptr_slice(&record, 0, 0, sizeof(*word));
	bpf_ringbuf_submit_dynptr(&record, 0);
	return word ? *word : 0;
}

static __noinline void submit_clone(struct bpf_dynptr *record)
{
	struct bpf_dynptr clone;

	bpf_dynptr_clone(record, &clone);
	bpf_ringbuf_submit_dynptr(&clone, 0);
}

SEC("tc")
int ok_submitted_through_a_clone_elsewhere(struct __sk_buff *skb)
{
	struct bpf_dynptr record;

	bpf_ringbuf_reserve_dynptr(&events, 64, 0, &record);
	submit_clone(&record);
	return 0;
}

SEC("tc")
int bad_submitted_again(struct __sk_buff *skb)
{
	struct bpf_dynptr record;

	bpf_ringbuf_reserve_dynptr(&events, 64, 0, &record);
	submit_clone(&record);
	bpf_ringbuf_submit_dynptr(&record, 0);
	return 0;
}

SEC("tc")
int bad_a_slice_of_a_packet_that_was_copied_into(struct __sk_buff *skb)
{
	struct bpf_dynptr memory, packet;
	__u64 *word;

	bpf_dynptr_from_mem(buffer, sizeof(buffer), 0, &memory);
	bpf_dynptr_from_skb(skb, 0, &packet);
	word = bpf_dynptr_slice(&packet, 0, 0, sizeof(*word));
	bpf_dynptr_copy(&packet, 0, &memory, 0, sizeof(*word));
	return word ? *word : 0;
}

SEC("tc")
int ok_a_slice_of_a_packet_that_was_copied_from(struct __sk_buff *skb)
{
	struct bpf_dynptr memory, packet;
	__u64 *word;

	bpf_dynptr_from_mem(buffer, sizeof(buffer), 0, &memory);
	bpf_dynptr_from_skb(skb, 0, &packet);
	word = bpf_dynptr_slice(&packet, 0, 0, sizeof(*word));
	bpf_dynptr_copy(&memory, 0, &packet, 0, sizeof(*word));
	return word ? *word : 0;
}

SEC("tc")
int ok_a_slice_of_memory_whose_dynptr_is_gone(struct __sk_buff *skb)
{
	struct bpf_dynptr memory;
	__u64 *word;

	bpf_dynptr_from_mem(buffer, sizeof(buffer), 0, &memory);
	word = bpf_dynptr_slice_rdwr(&memory, 0, 0, sizeof(*word));
	*(volatile __u64 *)&memory = 0;
	if (word)
		*word = 1;
	return 0;
}
