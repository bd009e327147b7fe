// References and functions that helpers call: what one round acquires, the same round releases.
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char _license[] SEC("license") = "GPL";

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} events SEC(".maps");

static long submit_one(__u32 index, void *ctx)
{
	__u32 *record = bpf_ringbuf_reserve(&events, 4, 0);

	if (!record)
		return 1;
	*record = index;
	bpf_ringbuf_submit(record, 0);
	return 0;
}

SEC("tc")
int ok_one_each_round(struct __sk_buff *skb)
{
	bpf_loop(10, submit_one, 0, 0);
	return 0;
}

static long keep_one(__u32 index, __u32 **place)
{
	*place = bpf_ringbuf_reserve(&events, 4, 0);
	return 1;
}

SEC("tc")
int ok_kept_for_the_caller(struct __sk_buff *skb)
{
	__u32 *record = 0;

	bpf_loop(1, keep_one, &record, 0);
	if (record)
		bpf_ringbuf_discard(record, 0);
	return 0;
}

static long use(__u32 index, __u32 **place)
{
	**place = index;
	return 0;
}

SEC("tc")
int ok_the_caller_s_used(struct __sk_buff *skb)
{
	__u32 *record = bpf_ringbuf_reserve(&events, 4, 0);

	if (!record)
		return 0;
	bpf_loop(10, use, &record, 0);
	bpf_ringbuf_submit(record, 0);
	return 0;
}

static long submit(__u32 index, __u32 **place)
{
	bpf_ringbuf_submit(*place, 0);
	return 1;
}

SEC("tc")
int bad_the_caller_s_submitted(struct __sk_buff *skb)
{
	__u32 *record = bpf_ringbuf_reserve(&events, 4, 0);

	if (!record)
		return 0;
	bpf_loop(1, submit, &record, 0);
	return 0;
}

SEC("tc")
int bad_the_caller_s_submitted_then_used(struct __sk_buff *skb)
{
	__u32 *record = bpf_ringbuf_reserve(&events, 4, 0);

	if (!record)
		return 0;
	bpf_loop(1, submit, &record, 0);
	bpf_ringbuf_submit(record, 0);
	return 0;
}

static long look_up(__u32 index, struct __sk_buff **skb)
{
	struct bpf_sock_tuple tuple = {};
	struct bpf_sock *sk = bpf_skc_lookup_tcp(*skb, &tuple, sizeof(tuple.ipv4), -1, 0);

	if (sk)
		bpf_sk_release(sk);
	return !sk;
}

SEC("tc")
int ok_a_socket_each_round(struct __sk_buff *skb)
{
	bpf_loop(10, look_up, &skb, 0);
	return 0;
}
