// Exceptions: the program ends wherever it is, so nothing may be held there.
#define BPF_NO_KFUNC_PROTOTYPES
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char _license[] SEC("license") = "GPL";

extern void bpf_throw(__u64 cookie) __ksym;
extern void bpf_rcu_read_lock(void) __ksym;
extern void bpf_rcu_read_unlock(void) __ksym;
extern void bpf_preempt_disable(void) __ksym;
extern void bpf_preempt_enable(void) __ksym;

struct item {
	struct bpf_spin_lock lock;
	__u32 count;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, struct item);
} items SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} ring SEC(".maps");

static __noinline int deeper(struct __sk_buff *skb)
{
	if (skb->len > 1000)
		bpf_throw(0);
	return skb->len;
}

__noinline int global_deeper(struct __sk_buff *skb)
{
	if (skb->len > 1000)
		bpf_throw(0);
	return skb->len;
}

static int each(__u32 index, void *ctx)
{
	bpf_throw(0);
	return 0;
}

SEC("tc")
int ok_in_main(struct __sk_buff *skb)
{
	if (skb->len > 1000)
		bpf_throw(1);
	return 0;
}

SEC("tc")
int ok_deeper(struct __sk_buff *skb)
{
	return deeper(skb) & 1;
}

SEC("tc")
int ok_in_global_function(struct __sk_buff *skb)
{
	return global_deeper(skb) & 1;
}

SEC("tc")
int bad_reference_held(struct __sk_buff *skb)
{
	__u64 *record = bpf_ringbuf_reserve(&ring, 8, 0);

	if (!record)
		return 0;
	if (skb->len > 1000)
		bpf_throw(0);
	bpf_ringbuf_discard(record, 0);
	return 0;
}

SEC("tc")
int bad_reference_held_by_caller(struct __sk_buff *skb)
{
	__u64 *record = bpf_ringbuf_reserve(&ring, 8, 0);

	if (!record)
		return 0;
	deeper(skb);
	bpf_ringbuf_discard(record, 0);
	return 0;
}

SEC("tc")
int ok_reference_given_back(struct __sk_buff *skb)
{
	__u64 *record = bpf_ringbuf_reserve(&ring, 8, 0);

	if (!record)
		return 0;
	bpf_ringbuf_discard(record, 0);
	return deeper(skb) & 1;
}

SEC("tc")
int bad_lock_held(struct __sk_buff *skb)
{
	__u32 key = 0;
	struct item *item = bpf_map_lookup_elem(&items, &key);

	if (!item)
		return 0;
	bpf_spin_lock(&item->lock);
	if (item->count > 10)
		bpf_throw(0);
	bpf_spin_unlock(&item->lock);
	return 0;
}

SEC("tc")
int bad_in_rcu_section(struct __sk_buff *skb)
{
	bpf_rcu_read_lock();
	if (skb->len > 1000)
		bpf_throw(0);
	bpf_rcu_read_unlock();
	return 0;
}

SEC("tc")
int bad_without_preemption(struct __sk_buff *skb)
{
	bpf_preempt_disable();
	deeper(skb);
	bpf_preempt_enable();
	return 0;
}

SEC("tc")
int bad_in_callback(struct __sk_buff *skb)
{
	bpf_loop(4, each, 0, 0);
	return 0;
}

SEC("cgroup_skb/egress")
int bad_result_out_of_range(struct __sk_buff *skb)
{
	if (skb->len > 1000)
		bpf_throw(64);
	return 1;
}

SEC("cgroup_skb/egress")
int ok_result_in_range(struct __sk_buff *skb)
{
	if (skb->len > 1000)
		bpf_throw(1);
	return 1;
}

SEC("cgroup_skb/egress")
int bad_result_unknown(struct __sk_buff *skb)
{
	bpf_throw(skb->len);
	return 1;
}

SEC("tc")
int bad_global_throws_over_a_record(struct __sk_buff *skb)
{
	__u64 *record = bpf_ringbuf_reserve(&ring, 8, 0);

	if (!record)
		return 0;
	global_deeper(skb);
	bpf_ringbuf_discard(record, 0);
	return 0;
}

SEC("tc")
int ok_global_throws_before_a_record(struct __sk_buff *skb)
{
	__u64 *record;

	global_deeper(skb);
	record = bpf_ringbuf_reserve(&ring, 8, 0);
	if (record)
		bpf_ringbuf_discard(record, 0);
	return 0;
}
