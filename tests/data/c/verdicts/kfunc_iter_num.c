/* Numbers by an open-coded iterator: made, asked, ended; anything else is out of turn. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

int table[16];

SEC("tc")
int ok_sum(struct __sk_buff *skb)
{
	struct bpf_iter_num it;
	int *v, sum = 0;

	bpf_iter_num_new(&it, 0, 10);
	while ((v = bpf_iter_num_next(&it)))
		sum += *v;
	bpf_iter_num_destroy(&it);
	return sum;
}

SEC("xdp")
int ok_bounded_index(struct xdp_md *ctx)
{
	struct bpf_iter_num it;
	int *v;

	bpf_iter_num_new(&it, 0, 16);
	while ((v = bpf_iter_num_next(&it))) {
		if (*v < 0 || *v >= 16)
			break;
		table[*v] += *v;
	}
	bpf_iter_num_destroy(&it);
	return XDP_PASS;
}

SEC("tc")
int ok_next_after_end(struct __sk_buff *skb)
{
	struct bpf_iter_num it;
	int *v;

	bpf_iter_num_new(&it, 0, 10);
	while ((v = bpf_iter_num_next(&it)))
		;
	v = bpf_iter_num_next(&it);
	if (v)
		table[0] = *v;
	bpf_iter_num_destroy(&it);
	return 0;
}

SEC("tc")
int bad_not_checked(struct __sk_buff *skb)
{
	struct bpf_iter_num it;
	int v;

	bpf_iter_num_new(&it, 0, 10);
	bpf_iter_num_next(&it);
	v = *bpf_iter_num_next(&it);
	bpf_iter_num_destroy(&it);
	return v;
}

SEC("tc")
int bad_not_destroyed(struct __sk_buff *skb)
{
	struct bpf_iter_num it;

	bpf_iter_num_new(&it, 0, 10);
	bpf_iter_num_next(&it);
	return 0;
}

SEC("tc")
int bad_next_before_new(struct __sk_buff *skb)
{
	struct bpf_iter_num it;

	bpf_iter_num_next(&it);
	bpf_iter_num_destroy(&it);
	return 0;
}

SEC("tc")
int bad_element_after_destroy(struct __sk_buff *skb)
{
	struct bpf_iter_num it;
	int *v;

	bpf_iter_num_new(&it, 0, 10);
	v = bpf_iter_num_next(&it);
	bpf_iter_num_destroy(&it);
	return v ? *v : 0;
}

SEC("tc")
int bad_unbounded_index(struct __sk_buff *skb)
{
	struct bpf_iter_num it;
	int *v;

	bpf_iter_num_new(&it, 0, 16);
	while ((v = bpf_iter_num_next(&it)))
		table[*v] = 1;
	bpf_iter_num_destroy(&it);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
