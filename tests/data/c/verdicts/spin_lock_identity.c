// Spin locks: which lock it is, told by the look-up that gave the value.
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char _license[] SEC("license") = "GPL";

struct item {
	struct bpf_spin_lock lock;
	__u32 count;
};

struct table {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, struct item);
};

struct table first SEC(".maps"), second SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 2);
	__type(key, __u32);
	__array(values, struct table);
} tables SEC(".maps") = { .values = { &first, &second } };

#define private(name) SEC(".data." #name) __attribute__((aligned(8)))

private(A) struct bpf_spin_lock lock_a;
private(A) __u64 guarded_a;
private(B) struct bpf_spin_lock lock_b;
private(B) __u64 guarded_b;

SEC("tc")
int ok_one_look_up(struct __sk_buff *skb)
{
	__u32 key = skb->len & 3;
	struct item *item = bpf_map_lookup_elem(&first, &key), *copy;

	if (!item)
		return 0;
	copy = item;
	bpf_spin_lock(&item->lock);
	copy->count++;
	bpf_spin_unlock(&copy->lock);
	return 0;
}

SEC("tc")
int bad_two_look_ups(struct __sk_buff *skb)
{
	__u32 key = skb->len & 3;
	struct item *one = bpf_map_lookup_elem(&first, &key);
	struct item *two = bpf_map_lookup_elem(&first, &key);

	if (!one || !two)
		return 0;
	bpf_spin_lock(&one->lock);
	two->count++;
	bpf_spin_unlock(&two->lock);
	return 0;
}

SEC("tc")
int bad_two_maps(struct __sk_buff *skb)
{
	__u32 key = skb->len & 3;
	struct item *one = bpf_map_lookup_elem(&first, &key);
	struct item *two = bpf_map_lookup_elem(&second, &key);

	if (!one || !two)
		return 0;
	bpf_spin_lock(&one->lock);
	bpf_spin_unlock(&two->lock);
	return 0;
}

SEC("tc")
int ok_inner_map(struct __sk_buff *skb)
{
	__u32 key = skb->len & 1;
	void *inner = bpf_map_lookup_elem(&tables, &key);
	struct item *item;

	if (!inner)
		return 0;
	item = bpf_map_lookup_elem(inner, &key);
	if (!item)
		return 0;
	bpf_spin_lock(&item->lock);
	item->count++;
	bpf_spin_unlock(&item->lock);
	return 0;
}

SEC("tc")
int bad_two_inner_maps(struct __sk_buff *skb)
{
	__u32 key = 0, other = 1;
	void *inner = bpf_map_lookup_elem(&tables, &key), *outer;
	struct item *one, *two;

	if (!inner)
		return 0;
	outer = bpf_map_lookup_elem(&tables, &other);
	if (!outer)
		return 0;
	one = bpf_map_lookup_elem(inner, &key);
	if (!one)
		return 0;
	two = bpf_map_lookup_elem(outer, &key);
	if (!two)
		return 0;
	bpf_spin_lock(&one->lock);
	bpf_spin_unlock(&two->lock);
	return 0;
}

SEC("tc")
int ok_global(struct __sk_buff *skb)
{
	bpf_spin_lock(&lock_a);
	guarded_a++;
	bpf_spin_unlock(&lock_a);
	bpf_spin_lock(&lock_b);
	guarded_b++;
	bpf_spin_unlock(&lock_b);
	return 0;
}

SEC("tc")
int bad_other_global(struct __sk_buff *skb)
{
	bpf_spin_lock(&lock_a);
	guarded_a++;
	bpf_spin_unlock(&lock_b);
	return 0;
}

SEC("tc")
int bad_one_in_the_other(struct __sk_buff *skb)
{
	bpf_spin_lock(&lock_a);
	bpf_spin_lock(&lock_b);
	bpf_spin_unlock(&lock_b);
	bpf_spin_unlock(&lock_a);
	return 0;
}

struct pair {
	struct item *outer;
};

static long inner_element(void *map, __u32 *key, struct item *item, struct pair *pair)
{
	bpf_spin_lock(&pair->outer->lock);
	bpf_spin_unlock(&item->lock);
	return 0;
}

static long outer_element(void *map, __u32 *key, struct item *item, void *context)
{
	struct pair pair = { item };

	bpf_for_each_map_elem(&first, inner_element, &pair, 0);
	return 0;
}

SEC("tc")
int bad_elements_of_two_callbacks(struct __sk_buff *skb)
{
	bpf_for_each_map_elem(&first, outer_element, 0, 0);
	return 0;
}

static long own_element(void *map, __u32 *key, struct item *item, void *context)
{
	bpf_spin_lock(&item->lock);
	item->count++;
	bpf_spin_unlock(&item->lock);
	return 0;
}

SEC("tc")
int ok_the_callbacks_own_element(struct __sk_buff *skb)
{
	bpf_for_each_map_elem(&first, own_element, 0, 0);
	return 0;
}
