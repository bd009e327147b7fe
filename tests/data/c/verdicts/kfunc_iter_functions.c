/* Iterators and functions of the program: passed by address, advanced in the callee. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

int total;

static __noinline int sum_all(struct bpf_iter_num *it)
{
	int *v, sum = 0;

	while ((v = bpf_iter_num_next(it)))
		sum += *v;
	return sum;
}

static __noinline int *one(struct bpf_iter_num *it)
{
	return bpf_iter_num_next(it);
}

SEC("tc")
int ok_advanced_below(struct __sk_buff *skb)
{
	struct bpf_iter_num it;
	int sum;

	bpf_iter_num_new(&it, 0, 10);
	sum = sum_all(&it);
	bpf_iter_num_destroy(&it);
	return sum;
}

SEC("tc")
int ok_one_at_a_time(struct __sk_buff *skb)
{
	struct bpf_iter_num it;
	int *v;

	bpf_iter_num_new(&it, 0, 10);
	while ((v = one(&it)))
		total += *v;
	bpf_iter_num_destroy(&it);
	return 0;
}

static __noinline int leaves_one(int end)
{
	struct bpf_iter_num it;

	bpf_iter_num_new(&it, 0, end);
	return bpf_iter_num_next(&it) != 0;
}

SEC("tc")
int bad_lives_below(struct __sk_buff *skb)
{
	return leaves_one(skb->len & 7);
}

static __noinline int ends_it(struct bpf_iter_num *it)
{
	bpf_iter_num_destroy(it);
	return 0;
}

SEC("tc")
int bad_used_after_end_below(struct __sk_buff *skb)
{
	struct bpf_iter_num it;

	bpf_iter_num_new(&it, 0, 10);
	ends_it(&it);
	bpf_iter_num_next(&it);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
