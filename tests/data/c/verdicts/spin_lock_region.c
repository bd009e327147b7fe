// Spin locks: what may be done while one is held, and who may use one.
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char _license[] SEC("license") = "GPL";

struct item {
	__u64 before;
	struct bpf_spin_lock lock;
	__u32 after;
	__u32 many[8];
};

struct starts_with_lock {
	struct bpf_spin_lock lock;
	__u32 after;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, struct item);
} items SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, struct starts_with_lock);
} begins_with_lock SEC(".maps");

static __noinline __u32 raised(struct item *item, __u32 by)
{
	item->after += by;
	return item->after;
}

SEC("tc")
int ok_static_function(struct __sk_buff *skb)
{
	__u32 key = 0, after, len = skb->len;
	struct item *item = bpf_map_lookup_elem(&items, &key);

	if (!item)
		return 0;
	bpf_spin_lock(&item->lock);
	after = raised(item, len);
	bpf_spin_unlock(&item->lock);
	return after & 1;
}

SEC("tc")
int bad_helper(struct __sk_buff *skb)
{
	__u32 key = 0;
	struct item *item = bpf_map_lookup_elem(&items, &key);

	if (!item)
		return 0;
	bpf_spin_lock(&item->lock);
	item->before = bpf_ktime_get_ns();
	bpf_spin_unlock(&item->lock);
	return 0;
}

SEC("tc")
int ok_helper_before(struct __sk_buff *skb)
{
	__u32 key = 0;
	__u64 now = bpf_ktime_get_ns();
	struct item *item = bpf_map_lookup_elem(&items, &key);

	if (!item)
		return 0;
	bpf_spin_lock(&item->lock);
	item->before = now;
	bpf_spin_unlock(&item->lock);
	return 0;
}

SEC("tc")
int bad_lock_written(struct __sk_buff *skb)
{
	__u32 key = 0;
	struct item *item = bpf_map_lookup_elem(&items, &key);

	if (!item)
		return 0;
	*(volatile __u32 *)&item->lock = 0;
	return 0;
}

SEC("tc")
int bad_lock_read(struct __sk_buff *skb)
{
	__u32 key = 0;
	struct item *item = bpf_map_lookup_elem(&items, &key);

	if (!item)
		return 0;
	return *(volatile __u64 *)&item->lock & 1;
}

SEC("tc")
int bad_lock_given_to_helper(struct __sk_buff *skb)
{
	__u32 key = 0;
	struct item *item = bpf_map_lookup_elem(&items, &key);

	if (!item)
		return 0;
	return bpf_skb_load_bytes(skb, 0, item, sizeof(*item));
}

SEC("tc")
int ok_rest_given_to_helper(struct __sk_buff *skb)
{
	__u32 key = 0;
	struct item *item = bpf_map_lookup_elem(&items, &key);

	if (!item)
		return 0;
	return bpf_skb_load_bytes(skb, 0, &item->after, 8) & 1;
}

SEC("tc")
int ok_variable_offset_behind(struct __sk_buff *skb)
{
	__u32 key = 0;
	struct item *item = bpf_map_lookup_elem(&items, &key);

	if (!item)
		return 0;
	return item->many[skb->len & 7] & 1;
}

SEC("tc")
int bad_variable_offset_across(struct __sk_buff *skb)
{
	__u32 key = 0;
	struct item *item = bpf_map_lookup_elem(&items, &key);
	__u32 *words = (void *)item;

	if (!item)
		return 0;
	return words[skb->len & 7] & 1;
}

SEC("tc")
int bad_lock_at_variable_offset(struct __sk_buff *skb)
{
	__u32 key = 0;
	struct item *item = bpf_map_lookup_elem(&items, &key);
	struct bpf_spin_lock *lock;

	if (!item)
		return 0;
	lock = (void *)item + (skb->len & 8);
	bpf_spin_lock(lock);
	bpf_spin_unlock(lock);
	return 0;
}

SEC("tc")
int bad_may_be_null(struct __sk_buff *skb)
{
	__u32 key = skb->len;
	struct item *item = bpf_map_lookup_elem(&items, &key);

	bpf_spin_lock(&item->lock);
	bpf_spin_unlock(&item->lock);
	return 0;
}

SEC("tc")
int bad_may_be_null_at_its_start(struct __sk_buff *skb)
{
	__u32 key = skb->len;
	struct bpf_spin_lock *lock = bpf_map_lookup_elem(&begins_with_lock, &key);

	bpf_spin_lock(lock);
	bpf_spin_unlock(lock);
	return 0;
}

SEC("tc")
int bad_not_the_lock(struct __sk_buff *skb)
{
	__u32 key = 0;
	struct item *item = bpf_map_lookup_elem(&items, &key);
	struct bpf_spin_lock *lock;

	if (!item)
		return 0;
	lock = (void *)&item->after;
	bpf_spin_lock(lock);
	bpf_spin_unlock(lock);
	return 0;
}

SEC("kprobe")
int bad_on_probe(struct pt_regs *ctx)
{
	__u32 key = 0;
	struct item *item = bpf_map_lookup_elem(&items, &key);

	return item ? item->after & 1 : 0;
}

SEC("socket")
int bad_in_socket_filter(struct __sk_buff *skb)
{
	__u32 key = 0;
	struct item *item = bpf_map_lookup_elem(&items, &key);

	return item ? item->after & 1 : 0;
}
