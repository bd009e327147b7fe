/* Dynamic pointers: to a ring buffer, to memory, to a packet. */
#define BPF_NO_KFUNC_PROTOTYPES
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} events SEC(".maps");

extern int bpf_dynptr_from_skb(struct __sk_buff *skb, u64 flags, struct bpf_dynptr *ptr) __ksym;
extern void *bpf_dynptr_slice(const struct bpf_dynptr *ptr, u64 offset, void *buffer,
			      u64 buffer__szk) __ksym;

char memory[32];

SEC("tc")
int use(struct __sk_buff *skb)
{
	struct bpf_dynptr event, local, packet;
	char buffer[20], *header;
	u64 word = 7;

	bpf_ringbuf_reserve_dynptr(&events, skb->len & 63, 0, &event);
	bpf_dynptr_write(&event, 0, &word, sizeof(word), 0);
	bpf_ringbuf_submit_dynptr(&event, 0);
	bpf_dynptr_from_mem(memory, sizeof(memory), 0, &local);
	bpf_dynptr_read(&word, sizeof(word), &local, 8, 0);
	if (bpf_dynptr_from_skb(skb, 0, &packet))
		return 2;
	header = bpf_dynptr_slice(&packet, 14, buffer, sizeof(buffer));
	return header ? header[9] == 6 : 0;
}

char LICENSE[] SEC("license") = "GPL";
