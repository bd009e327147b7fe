// Dynptrs of different kinds where paths meet: what follows must suit each of them.
#define BPF_NO_KFUNC_PROTOTYPES
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char _license[] SEC("license") = "GPL";

extern int bpf_dynptr_from_skb(struct __sk_buff *skb, u64 flags, struct bpf_dynptr *ptr) __ksym;
extern int bpf_dynptr_clone(const struct bpf_dynptr *ptr, struct bpf_dynptr *clone) __ksym;
extern void *bpf_dynptr_slice(const struct bpf_dynptr *ptr, u32 offset, void *buffer,
			      u32 buffer__szk) __ksym;

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} events SEC(".maps");

char buffer[64];

SEC("tc")
int ok_memory_or_a_packet_read(struct __sk_buff *skb)
{
	struct bpf_dynptr dynptr;
	__u8 byte = 0, *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;

	if (data + 14 > end)
		return 2;
	if (skb->mark)
		bpf_dynptr_from_mem(buffer, sizeof(buffer), 0, &dynptr);
	else
		bpf_dynptr_from_skb(skb, 0, &dynptr);
	bpf_dynptr_read(&byte, 1, &dynptr, 0, 0);
	return data[12] + byte;
}

SEC("tc")
int bad_memory_or_a_packet_written(struct __sk_buff *skb)
{
	struct bpf_dynptr dynptr;
	__u8 byte = 0, *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;

	if (data + 14 > end)
		return 2;
	if (skb->mark)
		bpf_dynptr_from_mem(buffer, sizeof(buffer), 0, &dynptr);
	else
		bpf_dynptr_from_skb(skb, 0, &dynptr);
	bpf_dynptr_write(&dynptr, 0, &byte, 1, 0);
	return data[12];
}

SEC("tc")
int ok_a_record_or_memory(struct __sk_buff *skb)
{
	struct bpf_dynptr dynptr;
	__u32 mark = skb->mark;
	__u8 byte = 0;

	if (mark)
		bpf_dynptr_from_mem(buffer, sizeof(buffer), 0, &dynptr);
	else
		bpf_ringbuf_reserve_dynptr(&events, 8, 0, &dynptr);
	bpf_dynptr_write(&dynptr, 0, &byte, 1, 0);
	if (!mark)
		bpf_ringbuf_submit_dynptr(&dynptr, 0);
	return 0;
}

SEC("tc")
int bad_given_back_on_both_paths(struct __sk_buff *skb)
{
	struct bpf_dynptr dynptr;

	if (skb->mark)
		bpf_dynptr_from_mem(buffer, sizeof(buffer), 0, &dynptr);
	else
		bpf_ringbuf_reserve_dynptr(&events, 8, 0, &dynptr);
	bpf_ringbuf_submit_dynptr(&dynptr, 0);
	return 0;
}

SEC("tc")
int ok_the_record_or_its_clone(struct __sk_buff *skb)
{
	struct bpf_dynptr record, clone;
	__u32 mark = skb->mark;

	bpf_ringbuf_reserve_dynptr(&events, 8, 0, &record);
	bpf_dynptr_clone(&record, &clone);
	if (mark)
		bpf_ringbuf_submit_dynptr(&record, 0);
	else
		bpf_ringbuf_discard_dynptr(&clone, 0);
	return 0;
}

SEC("tc")
int bad_a_slice_of_one_of_them(struct __sk_buff *skb)
{
	struct bpf_dynptr packet;
	__u8 *byte = 0;

	bpf_dynptr_from_skb(skb, 0, &packet);
	if (skb->mark)
		byte = bpf_dynptr_slice(&packet, 0, 0, 1);
	return *byte;
}

SEC("tc")
int ok_in_a_loop(struct __sk_buff *skb)
{
	struct bpf_dynptr packet;
	__u32 sum = 0;
	__u8 *byte;

	bpf_dynptr_from_skb(skb, 0, &packet);
	for (int i = 0; i < 20; i++) {
		byte = bpf_dynptr_slice(&packet, i, 0, 1);
		if (!byte)
			break;
		sum += *byte;
	}
	return sum & 1;
}
