// Lists of objects: what is in one is no longer the program's, and the lock must be held.
#define BPF_NO_KFUNC_PROTOTYPES
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

#define __contains(name, node) __attribute__((btf_decl_tag("contains:" #name ":" #node)))
#define private(name) SEC(".data." #name) __hidden __attribute__((aligned(8)))
#define NEW(type) ((type *)bpf_obj_new_impl(bpf_core_type_id_local(type), 0))

char _license[] SEC("license") = "GPL";

extern void *bpf_obj_new_impl(__u64 local_type_id, void *meta) __ksym;
extern void bpf_obj_drop_impl(void *kptr, void *meta) __ksym;
extern int bpf_list_push_front_impl(struct bpf_list_head *head, struct bpf_list_node *node,
				    void *meta, __u64 off) __ksym;
extern int bpf_list_push_back_impl(struct bpf_list_head *head, struct bpf_list_node *node,
				   void *meta, __u64 off) __ksym;
extern struct bpf_list_node *bpf_list_pop_front(struct bpf_list_head *head) __ksym;
extern struct bpf_list_node *bpf_list_pop_back(struct bpf_list_head *head) __ksym;
extern struct bpf_list_node *bpf_list_front(struct bpf_list_head *head) __ksym;

struct item {
	__u64 value;
	struct bpf_list_node node;
};

struct twin {
	__u64 value;
	struct bpf_list_node node;
	struct bpf_list_node other;
};

struct owner {
	struct bpf_spin_lock lock;
	struct bpf_list_head items __contains(item, node);
};

private(A) struct bpf_spin_lock lock;
private(A) struct bpf_list_head items __contains(item, node);
private(B) struct bpf_spin_lock other_lock;
private(B) struct bpf_list_head twins __contains(twin, node);

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, struct owner);
} owners SEC(".maps");

SEC("tc")
int ok_pushed(struct __sk_buff *skb)
{
	struct item *item = NEW(struct item);

	if (!item)
		return 0;
	item->value = skb->len;
	bpf_spin_lock(&lock);
	bpf_list_push_front_impl(&items, &item->node, 0, 0);
	bpf_spin_unlock(&lock);
	return 0;
}

SEC("tc")
int ok_pushed_and_written_under_lock(struct __sk_buff *skb)
{
	struct item *item = NEW(struct item);

	if (!item)
		return 0;
	bpf_spin_lock(&lock);
	bpf_list_push_back_impl(&items, &item->node, 0, 0);
	item->value = 1;
	bpf_spin_unlock(&lock);
	return 0;
}

SEC("tc")
int bad_written_after_unlock(struct __sk_buff *skb)
{
	struct item *item = NEW(struct item);

	if (!item)
		return 0;
	bpf_spin_lock(&lock);
	bpf_list_push_back_impl(&items, &item->node, 0, 0);
	bpf_spin_unlock(&lock);
	item->value = 1;
	return 0;
}

SEC("tc")
int bad_dropped_after_push(struct __sk_buff *skb)
{
	struct item *item = NEW(struct item);

	if (!item)
		return 0;
	bpf_spin_lock(&lock);
	bpf_list_push_back_impl(&items, &item->node, 0, 0);
	bpf_spin_unlock(&lock);
	bpf_obj_drop_impl(item, 0);
	return 0;
}

SEC("tc")
int bad_pushed_twice(struct __sk_buff *skb)
{
	struct item *item = NEW(struct item);

	if (!item)
		return 0;
	bpf_spin_lock(&lock);
	bpf_list_push_back_impl(&items, &item->node, 0, 0);
	bpf_list_push_back_impl(&items, &item->node, 0, 0);
	bpf_spin_unlock(&lock);
	return 0;
}

SEC("tc")
int bad_without_lock(struct __sk_buff *skb)
{
	struct item *item = NEW(struct item);

	if (item)
		bpf_list_push_back_impl(&items, &item->node, 0, 0);
	return 0;
}

SEC("tc")
int bad_with_another_lock(struct __sk_buff *skb)
{
	struct item *item = NEW(struct item);

	if (!item)
		return 0;
	bpf_spin_lock(&other_lock);
	bpf_list_push_back_impl(&items, &item->node, 0, 0);
	bpf_spin_unlock(&other_lock);
	return 0;
}

SEC("tc")
int bad_another_node(struct __sk_buff *skb)
{
	struct twin *twin = NEW(struct twin);

	if (!twin)
		return 0;
	bpf_spin_lock(&other_lock);
	bpf_list_push_back_impl(&twins, &twin->other, 0, 0);
	bpf_spin_unlock(&other_lock);
	return 0;
}

SEC("tc")
int bad_another_struct(struct __sk_buff *skb)
{
	struct item *item = NEW(struct item);

	if (!item)
		return 0;
	bpf_spin_lock(&other_lock);
	bpf_list_push_back_impl(&twins, &item->node, 0, 0);
	bpf_spin_unlock(&other_lock);
	return 0;
}

SEC("tc")
int bad_no_node_there(struct __sk_buff *skb)
{
	struct item *item = NEW(struct item);

	if (!item)
		return 0;
	bpf_spin_lock(&lock);
	bpf_list_push_back_impl(&items, (void *)&item->value, 0, 0);
	bpf_spin_unlock(&lock);
	return 0;
}

SEC("tc")
int bad_no_head_there(struct __sk_buff *skb)
{
	bpf_spin_lock(&lock);
	bpf_list_pop_front((void *)&lock);
	bpf_spin_unlock(&lock);
	return 0;
}

SEC("tc")
int ok_popped(struct __sk_buff *skb)
{
	struct bpf_list_node *node;
	struct item *item;

	bpf_spin_lock(&lock);
	node = bpf_list_pop_front(&items);
	bpf_spin_unlock(&lock);
	if (!node)
		return 0;
	item = container_of(node, struct item, node);
	item->value++;
	bpf_obj_drop_impl(item, 0);
	return 0;
}

SEC("tc")
int bad_popped_and_kept(struct __sk_buff *skb)
{
	bpf_spin_lock(&lock);
	bpf_list_pop_back(&items);
	bpf_spin_unlock(&lock);
	return 0;
}

SEC("tc")
int bad_popped_and_dropped_by_its_node(struct __sk_buff *skb)
{
	struct bpf_list_node *node;

	bpf_spin_lock(&lock);
	node = bpf_list_pop_front(&items);
	bpf_spin_unlock(&lock);
	if (node)
		bpf_obj_drop_impl(node, 0);
	return 0;
}

SEC("tc")
int ok_front_seen_under_lock(struct __sk_buff *skb)
{
	struct bpf_list_node *node;
	__u64 value = 0;

	bpf_spin_lock(&lock);
	node = bpf_list_front(&items);
	if (node)
		value = container_of(node, struct item, node)->value;
	bpf_spin_unlock(&lock);
	return value & 1;
}

SEC("tc")
int bad_front_seen_after_unlock(struct __sk_buff *skb)
{
	struct bpf_list_node *node;

	bpf_spin_lock(&lock);
	node = bpf_list_front(&items);
	bpf_spin_unlock(&lock);
	return node ? container_of(node, struct item, node)->value & 1 : 0;
}

SEC("tc")
int bad_front_dropped(struct __sk_buff *skb)
{
	struct bpf_list_node *node;

	bpf_spin_lock(&lock);
	node = bpf_list_front(&items);
	bpf_spin_unlock(&lock);
	if (node)
		bpf_obj_drop_impl(container_of(node, struct item, node), 0);
	return 0;
}

SEC("tc")
int ok_in_map_value(struct __sk_buff *skb)
{
	__u32 key = skb->len & 1;
	struct owner *owner = bpf_map_lookup_elem(&owners, &key);
	struct item *item;

	if (!owner)
		return 0;
	item = NEW(struct item);
	if (!item)
		return 0;
	bpf_spin_lock(&owner->lock);
	bpf_list_push_back_impl(&owner->items, &item->node, 0, 0);
	bpf_spin_unlock(&owner->lock);
	return 0;
}

SEC("tc")
int bad_in_value_of_another_look_up(struct __sk_buff *skb)
{
	__u32 key = skb->len & 1;
	struct owner *one = bpf_map_lookup_elem(&owners, &key);
	struct owner *two = bpf_map_lookup_elem(&owners, &key);
	struct item *item;

	if (!one || !two)
		return 0;
	item = NEW(struct item);
	if (!item)
		return 0;
	bpf_spin_lock(&one->lock);
	bpf_list_push_back_impl(&two->items, &item->node, 0, 0);
	bpf_spin_unlock(&one->lock);
	return 0;
}

SEC("tc")
int ok_in_object(struct __sk_buff *skb)
{
	struct owner *owner = NEW(struct owner);
	struct item *item;

	if (!owner)
		return 0;
	item = NEW(struct item);
	if (item) {
		bpf_spin_lock(&owner->lock);
		bpf_list_push_back_impl(&owner->items, &item->node, 0, 0);
		bpf_spin_unlock(&owner->lock);
	}
	bpf_obj_drop_impl(owner, 0);
	return 0;
}

SEC("tc")
int bad_head_read(struct __sk_buff *skb)
{
	return *(volatile __u64 *)&items & 1;
}

SEC("tc")
int bad_node_written(struct __sk_buff *skb)
{
	struct item *item = NEW(struct item);

	if (!item)
		return 0;
	*(volatile __u64 *)&item->node = 1;
	bpf_obj_drop_impl(item, 0);
	return 0;
}
