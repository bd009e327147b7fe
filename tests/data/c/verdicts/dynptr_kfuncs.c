// What else kernel functions do with dynptrs of every kind: adjust, size, copy, fill.
#define BPF_NO_KFUNC_PROTOTYPES
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char _license[] SEC("license") = "GPL";

extern int bpf_dynptr_adjust(const struct bpf_dynptr *ptr, u32 start, u32 end) __ksym;
extern bool bpf_dynptr_is_null(const struct bpf_dynptr *ptr) __ksym;
extern bool bpf_dynptr_is_rdonly(const struct bpf_dynptr *ptr) __ksym;
extern u32 bpf_dynptr_size(const struct bpf_dynptr *ptr) __ksym;
extern int bpf_dynptr_copy(struct bpf_dynptr *dst, u32 dst_off, struct bpf_dynptr *src, u32 src_off,
			   u32 size) __ksym;
extern int bpf_dynptr_memset(struct bpf_dynptr *ptr, u32 off, u32 size, u8 value) __ksym;
extern int bpf_dynptr_from_skb(struct __sk_buff *skb, u64 flags, struct bpf_dynptr *ptr) __ksym;

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} events SEC(".maps");

char buffer[64];

SEC("tc")
int ok_the_packet_into_a_record(struct __sk_buff *skb)
{
	struct bpf_dynptr packet, record;

	if (bpf_dynptr_from_skb(skb, 0, &packet) || bpf_dynptr_adjust(&packet, 14, 34))
		return 2;
	bpf_ringbuf_reserve_dynptr(&events, bpf_dynptr_size(&packet), 0, &record);
	if (bpf_dynptr_is_null(&record) || bpf_dynptr_is_rdonly(&record)) {
		bpf_ringbuf_discard_dynptr(&record, 0);
		return 2;
	}
	bpf_dynptr_memset(&record, 0, 20, 0);
	bpf_dynptr_copy(&record, 0, &packet, 0, 20);
	bpf_ringbuf_submit_dynptr(&record, 0);
	return 0;
}

SEC("tc")
int bad_copied_from_nothing(struct __sk_buff *skb)
{
	struct bpf_dynptr memory, nothing;

	bpf_dynptr_from_mem(buffer, sizeof(buffer), 0, &memory);
	return bpf_dynptr_copy(&memory, 0, &nothing, 0, 8);
}

SEC("tc")
int bad_the_size_of_the_context(struct __sk_buff *skb)
{
	return bpf_dynptr_size((void *)skb);
}

SEC("tc")
int bad_asked_after_it_was_submitted(struct __sk_buff *skb)
{
	struct bpf_dynptr record;

	bpf_ringbuf_reserve_dynptr(&events, 8, 0, &record);
	bpf_ringbuf_submit_dynptr(&record, 0);
	return bpf_dynptr_is_null(&record);
}
