// Global functions that may move the packet void pointers into it, whichever path they take.
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char _license[] SEC("license") = "GPL";

__noinline int pull(struct __sk_buff *skb, unsigned int length)
{
	if (length > 1000)
		return bpf_skb_pull_data(skb, length);
	return 0;
}

__noinline int pull_indirectly(struct __sk_buff *skb)
{
	return pull(skb, 1);
}

__noinline int first_byte(unsigned char *at)
{
	return at ? *at : 0;
}

static __noinline int read_only(struct __sk_buff *skb)
{
	return skb->len;
}

SEC("tc")
int ok_loaded_again(struct __sk_buff *skb)
{
	unsigned char *data, *end;

	pull(skb, 1);
	data = (void *)(long)skb->data;
	end = (void *)(long)skb->data_end;
	if (data + 1 > end)
		return 0;
	return data[0] & 1;
}

SEC("tc")
int bad_after_the_call(struct __sk_buff *skb)
{
	unsigned char *data = (void *)(long)skb->data;
	unsigned char *end = (void *)(long)skb->data_end;

	if (data + 1 > end)
		return 0;
	pull(skb, 1);
	return data[0] & 1;
}

SEC("tc")
int bad_after_an_indirect_call(struct __sk_buff *skb)
{
	unsigned char *data = (void *)(long)skb->data;
	unsigned char *end = (void *)(long)skb->data_end;

	if (data + 1 > end)
		return 0;
	pull_indirectly(skb);
	return data[0] & 1;
}

SEC("tc")
int ok_packet_as_memory(struct __sk_buff *skb)
{
	unsigned char *data = (void *)(long)skb->data;
	unsigned char *end = (void *)(long)skb->data_end;

	if (data + 1 > end)
		return 0;
	return (first_byte(data) + read_only(skb) + data[0]) & 1;
}

SEC("tc")
int bad_unproven_packet_as_memory(struct __sk_buff *skb)
{
	return first_byte((void *)(long)skb->data) & 1;
}

extern int bpf_dynptr_from_skb(struct __sk_buff *skb, __u64 flags, struct bpf_dynptr *ptr) __ksym;

__noinline int writes_through_a_dynptr(struct __sk_buff *skb)
{
	struct bpf_dynptr packet;
	__u32 word = 0;

	bpf_dynptr_from_skb(skb, 0, &packet);
	return bpf_dynptr_write(&packet, 0, &word, sizeof(word), 0);
}

SEC("tc")
int bad_written_through_a_dynptr(struct __sk_buff *skb)
{
	char *data = (void *)(long)skb->data;

	if (data + 14 > (char *)(long)skb->data_end)
		return 0;
	writes_through_a_dynptr(skb);
	return *(volatile char *)data & 1;
}
