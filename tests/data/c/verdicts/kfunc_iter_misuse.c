/* The slots of an iterator belong to the kernel. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

SEC("tc")
int ok_slot_used_again(struct __sk_buff *skb)
{
	struct bpf_iter_num it;
	int *v, sum = 0;

	bpf_iter_num_new(&it, 0, 3);
	while ((v = bpf_iter_num_next(&it)))
		sum += *v;
	bpf_iter_num_destroy(&it);
	bpf_iter_num_new(&it, 5, 8);
	while ((v = bpf_iter_num_next(&it)))
		sum += *v;
	bpf_iter_num_destroy(&it);
	return sum;
}

SEC("tc")
int bad_new_twice(struct __sk_buff *skb)
{
	struct bpf_iter_num it;

	bpf_iter_num_new(&it, 0, 3);
	bpf_iter_num_new(&it, 0, 3);
	bpf_iter_num_destroy(&it);
	return 0;
}

SEC("tc")
int bad_destroy_twice(struct __sk_buff *skb)
{
	struct bpf_iter_num it;

	bpf_iter_num_new(&it, 0, 3);
	bpf_iter_num_destroy(&it);
	bpf_iter_num_destroy(&it);
	return 0;
}

SEC("tc")
int bad_read_inside(struct __sk_buff *skb)
{
	struct bpf_iter_num it;
	int first;

	bpf_iter_num_new(&it, 0, 3);
	first = *(volatile int *)&it;
	bpf_iter_num_destroy(&it);
	return first;
}

SEC("tc")
int bad_written_inside(struct __sk_buff *skb)
{
	struct bpf_iter_num it;

	bpf_iter_num_new(&it, 0, 3);
	*(volatile int *)&it = 0;
	bpf_iter_num_destroy(&it);
	return 0;
}

SEC("tc")
int bad_filled_by_helper(struct __sk_buff *skb)
{
	struct bpf_iter_num it;

	bpf_iter_num_new(&it, 0, 3);
	bpf_skb_load_bytes(skb, 0, &it, sizeof(it));
	bpf_iter_num_destroy(&it);
	return 0;
}

SEC("tc")
int bad_not_on_the_stack(struct __sk_buff *skb)
{
	static struct bpf_iter_num it;

	bpf_iter_num_new(&it, 0, 3);
	bpf_iter_num_destroy(&it);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
