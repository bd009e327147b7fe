/* Loops over iterators converge when a round changes nothing that decisions rely on. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

int cells[64];

SEC("tc")
int ok_nested(struct __sk_buff *skb)
{
	struct bpf_iter_num rows, columns;
	int *row, *column, sum = 0;

	bpf_iter_num_new(&rows, 0, 8);
	while ((row = bpf_iter_num_next(&rows))) {
		bpf_iter_num_new(&columns, 0, 8);
		while ((column = bpf_iter_num_next(&columns))) {
			int at = *row * 8 + *column;

			if (at < 0 || at >= 64)
				continue;
			sum += cells[at];
		}
		bpf_iter_num_destroy(&columns);
	}
	bpf_iter_num_destroy(&rows);
	return sum;
}

SEC("tc")
int ok_leaves_early(struct __sk_buff *skb)
{
	struct bpf_iter_num it;
	int *v, found = -1;

	bpf_iter_num_new(&it, 0, 1000);
	while ((v = bpf_iter_num_next(&it))) {
		if (bpf_get_prandom_u32() == *v) {
			found = *v;
			break;
		}
		if (*v > 900)
			continue;
	}
	bpf_iter_num_destroy(&it);
	return found;
}

SEC("tc")
int ok_counter_is_checked(struct __sk_buff *skb)
{
	struct bpf_iter_num it;
	unsigned int i = 0;

	bpf_iter_num_new(&it, 0, 1000);
	while (bpf_iter_num_next(&it)) {
		if (i >= 64)
			break;
		cells[i] = i;
		i++;
	}
	bpf_iter_num_destroy(&it);
	return 0;
}

SEC("tc")
int bad_counter_is_not_checked(struct __sk_buff *skb)
{
	struct bpf_iter_num it;
	unsigned int i = 0;

	bpf_iter_num_new(&it, 0, 64);
	while (bpf_iter_num_next(&it)) {
		cells[i] = i;
		i++;
	}
	bpf_iter_num_destroy(&it);
	return 0;
}

SEC("tc")
int bad_index_of_an_earlier_round(struct __sk_buff *skb)
{
	struct bpf_iter_num it;
	int offset = 0;

	bpf_iter_num_new(&it, 0, 64);
	while (bpf_iter_num_next(&it)) {
		if (bpf_get_prandom_u32() == 42) {
			offset = 4000;
			continue;
		}
		*(volatile char *)((char *)cells + offset) = 1;
	}
	bpf_iter_num_destroy(&it);
	return 0;
}

SEC("tc")
int bad_endless_inside(struct __sk_buff *skb)
{
	struct bpf_iter_num it;
	volatile int one = 1;

	bpf_iter_num_new(&it, 0, 64);
	while (bpf_iter_num_next(&it)) {
		while (one)
			;
	}
	bpf_iter_num_destroy(&it);
	return 0;
}

SEC("tc")
int bad_made_in_each_round(struct __sk_buff *skb)
{
	struct bpf_iter_num outer, inner;

	bpf_iter_num_new(&outer, 0, 3);
	while (bpf_iter_num_next(&outer))
		bpf_iter_num_new(&inner, 0, 3);
	bpf_iter_num_destroy(&outer);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
