/* The bits of memory anywhere: the address is not looked at, only the iterator is. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

SEC("tc")
int ok_bits(struct __sk_buff *skb)
{
	struct bpf_iter_bits it;
	u64 mask = skb->len;
	int *bit, count = 0;

	bpf_iter_bits_new(&it, &mask, 1);
	while ((bit = bpf_iter_bits_next(&it)))
		count += *bit;
	bpf_iter_bits_destroy(&it);
	return count;
}

SEC("tc")
int ok_any_address(struct __sk_buff *skb)
{
	struct bpf_iter_bits it;

	bpf_iter_bits_new(&it, (u64 *)1, skb->len);
	bpf_iter_bits_next(&it);
	bpf_iter_bits_destroy(&it);
	return 0;
}

SEC("tc")
int bad_other_iterator(struct __sk_buff *skb)
{
	struct bpf_iter_bits it;
	u64 mask = 1;

	bpf_iter_bits_new(&it, &mask, 1);
	bpf_iter_num_next((void *)&it);
	bpf_iter_bits_destroy(&it);
	return 0;
}

SEC("tc")
int bad_pointer_as_number(struct __sk_buff *skb)
{
	struct bpf_iter_bits it;
	u64 mask = 1;

	bpf_iter_bits_new(&it, &mask, (unsigned long)skb);
	bpf_iter_bits_destroy(&it);
	return 0;
}

SEC("tc")
int bad_element_is_written(struct __sk_buff *skb)
{
	struct bpf_iter_bits it;
	u64 mask = 1;
	int *bit;

	bpf_iter_bits_new(&it, &mask, 1);
	bit = bpf_iter_bits_next(&it);
	if (bit)
		*bit = 0;
	bpf_iter_bits_destroy(&it);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
