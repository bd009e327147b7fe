// The metadata in front of a packet, through a dynptr of its own.
#define BPF_NO_KFUNC_PROTOTYPES
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char _license[] SEC("license") = "GPL";

extern int bpf_dynptr_from_skb_meta(struct __sk_buff *skb, u64 flags,
				    struct bpf_dynptr *ptr) __ksym;
extern int bpf_dynptr_from_skb(struct __sk_buff *skb, u64 flags, struct bpf_dynptr *ptr) __ksym;
extern void *bpf_dynptr_slice(const struct bpf_dynptr *ptr, u32 offset, void *buffer,
			      u32 buffer__szk) __ksym;
extern void *bpf_dynptr_slice_rdwr(const struct bpf_dynptr *ptr, u32 offset, void *buffer,
				   u32 buffer__szk) __ksym;

SEC("tc")
int ok_read(struct __sk_buff *skb)
{
	struct bpf_dynptr meta;
	__u32 *word;

	if (bpf_dynptr_from_skb_meta(skb, 0, &meta))
		return 2;
	word = bpf_dynptr_slice(&meta, 0, 0, sizeof(*word));
	return word ? *word : 2;
}

SEC("tc")
int ok_written(struct __sk_buff *skb)
{
	struct bpf_dynptr meta;
	__u32 *word;

	bpf_dynptr_from_skb_meta(skb, 0, &meta);
	word = bpf_dynptr_slice_rdwr(&meta, 0, 0, sizeof(*word));
	if (word)
		*word = skb->mark;
	return 0;
}

SEC("tc")
int bad_a_slice_beyond_its_end(struct __sk_buff *skb)
{
	struct bpf_dynptr meta;
	__u32 *words;

	bpf_dynptr_from_skb_meta(skb, 0, &meta);
	words = bpf_dynptr_slice(&meta, 0, 0, sizeof(*words));
	return words ? words[1] : 2;
}

SEC("tc")
int bad_a_slice_after_the_packet_was_written(struct __sk_buff *skb)
{
	struct bpf_dynptr meta, packet;
	__u32 *word;
	__u8 byte = 0;

	bpf_dynptr_from_skb_meta(skb, 0, &meta);
	bpf_dynptr_from_skb(skb, 0, &packet);
	word = bpf_dynptr_slice(&meta, 0, 0, sizeof(*word));
	if (!word)
		return 2;
	bpf_dynptr_write(&packet, 0, &byte, sizeof(byte), 0);
	return *word;
}

SEC("tc")
int bad_a_slice_after_it_was_written(struct __sk_buff *skb)
{
	struct bpf_dynptr meta;
	__u32 *word;
	__u8 byte = 0;

	bpf_dynptr_from_skb_meta(skb, 0, &meta);
	word = bpf_dynptr_slice(&meta, 0, 0, sizeof(*word));
	if (!word)
		return 2;
	bpf_dynptr_write(&meta, 0, &byte, sizeof(byte), 0);
	return *word;
}

SEC("cgroup_skb/egress")
int bad_in_another_kind_of_program(struct __sk_buff *skb)
{
	struct bpf_dynptr meta;

	return bpf_dynptr_from_skb_meta(skb, 0, &meta) == 0;
}
