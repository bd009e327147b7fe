// Objects with a reference count: shared between lists, trees and the program.
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
extern void *bpf_refcount_acquire_impl(void *kptr, void *meta) __ksym;
extern int bpf_list_push_back_impl(struct bpf_list_head *head, struct bpf_list_node *node,
				   void *meta, __u64 off) __ksym;
extern struct bpf_list_node *bpf_list_front(struct bpf_list_head *head) __ksym;
extern int bpf_rbtree_add_impl(struct bpf_rb_root *root, struct bpf_rb_node *node,
			       bool(less)(struct bpf_rb_node *a, const struct bpf_rb_node *b),
			       void *meta, __u64 off) __ksym;
extern struct bpf_rb_node *bpf_rbtree_first(struct bpf_rb_root *root) __ksym;
extern struct bpf_rb_node *bpf_rbtree_remove(struct bpf_rb_root *root,
					     struct bpf_rb_node *node) __ksym;
extern void bpf_rcu_read_lock(void) __ksym;
extern void bpf_rcu_read_unlock(void) __ksym;

struct shared {
	__u64 key;
	struct bpf_refcount references;
	struct bpf_list_node list;
	struct bpf_rb_node tree;
};

struct single {
	__u64 key;
	struct bpf_list_node list;
};

private(A) struct bpf_spin_lock lock;
private(A) struct bpf_list_head items __contains(shared, list);
private(A) struct bpf_rb_root tree __contains(shared, tree);
private(B) struct bpf_spin_lock other_lock;
private(B) struct bpf_list_head singles __contains(single, list);

static bool less(struct bpf_rb_node *a, const struct bpf_rb_node *b)
{
	return container_of(a, struct shared, tree)->key < container_of(b, struct shared, tree)->key;
}

SEC("tc")
int ok_in_list_and_tree(struct __sk_buff *skb)
{
	struct shared *one = NEW(struct shared), *two;

	if (!one)
		return 0;
	two = bpf_refcount_acquire_impl(one, 0);
	bpf_spin_lock(&lock);
	bpf_list_push_back_impl(&items, &one->list, 0, 0);
	bpf_rbtree_add_impl(&tree, &two->tree, less, 0, 0);
	bpf_spin_unlock(&lock);
	return 0;
}

SEC("tc")
int ok_read_after_unlock(struct __sk_buff *skb)
{
	struct shared *one = NEW(struct shared), *two;
	int key;

	if (!one)
		return 0;
	two = bpf_refcount_acquire_impl(one, 0);
	bpf_spin_lock(&lock);
	bpf_list_push_back_impl(&items, &one->list, 0, 0);
	bpf_spin_unlock(&lock);
	key = two->key;
	bpf_obj_drop_impl(two, 0);
	return key & 1;
}

SEC("tc")
int bad_first_reference_after_unlock(struct __sk_buff *skb)
{
	struct shared *one = NEW(struct shared), *two;

	if (!one)
		return 0;
	two = bpf_refcount_acquire_impl(one, 0);
	bpf_spin_lock(&lock);
	bpf_list_push_back_impl(&items, &one->list, 0, 0);
	bpf_spin_unlock(&lock);
	bpf_obj_drop_impl(two, 0);
	return one->key & 1;
}

SEC("tc")
int bad_second_reference_kept(struct __sk_buff *skb)
{
	struct shared *one = NEW(struct shared);

	if (!one)
		return 0;
	bpf_refcount_acquire_impl(one, 0);
	bpf_obj_drop_impl(one, 0);
	return 0;
}

SEC("tc")
int bad_one_reference_in_two(struct __sk_buff *skb)
{
	struct shared *one = NEW(struct shared);

	if (!one)
		return 0;
	bpf_spin_lock(&lock);
	bpf_list_push_back_impl(&items, &one->list, 0, 0);
	bpf_rbtree_add_impl(&tree, &one->tree, less, 0, 0);
	bpf_spin_unlock(&lock);
	return 0;
}

SEC("tc")
int ok_of_borrowed(struct __sk_buff *skb)
{
	struct bpf_rb_node *node;
	struct shared *found = 0;

	bpf_spin_lock(&lock);
	node = bpf_rbtree_first(&tree);
	if (node)
		found = bpf_refcount_acquire_impl(container_of(node, struct shared, tree), 0);
	bpf_spin_unlock(&lock);
	if (found)
		bpf_obj_drop_impl(found, 0);
	return 0;
}

SEC("tc")
int bad_of_borrowed_unchecked(struct __sk_buff *skb)
{
	struct bpf_rb_node *node;
	struct shared *found;
	int key = 0;

	bpf_spin_lock(&lock);
	node = bpf_rbtree_first(&tree);
	if (!node) {
		bpf_spin_unlock(&lock);
		return 0;
	}
	found = bpf_refcount_acquire_impl(container_of(node, struct shared, tree), 0);
	bpf_spin_unlock(&lock);
	key = found->key;
	bpf_obj_drop_impl(found, 0);
	return key & 1;
}

SEC("tc")
int bad_without_count(struct __sk_buff *skb)
{
	struct single *one = NEW(struct single);
	void *two;

	if (!one)
		return 0;
	two = bpf_refcount_acquire_impl(one, 0);
	bpf_obj_drop_impl(one, 0);
	bpf_obj_drop_impl(two, 0);
	return 0;
}

SEC("tc")
int bad_of_context(struct __sk_buff *skb)
{
	void *two = bpf_refcount_acquire_impl(skb, 0);

	if (two)
		bpf_obj_drop_impl(two, 0);
	return 0;
}

SEC("tc")
int bad_count_read(struct __sk_buff *skb)
{
	struct shared *one = NEW(struct shared);
	int count;

	if (!one)
		return 0;
	count = *(volatile __u32 *)&one->references;
	bpf_obj_drop_impl(one, 0);
	return count & 1;
}

SEC("tc")
int bad_borrowed_count_after_unlock(struct __sk_buff *skb)
{
	struct shared *one = NEW(struct shared), *two;

	if (!one)
		return 0;
	bpf_spin_lock(&lock);
	bpf_list_push_back_impl(&items, &one->list, 0, 0);
	bpf_spin_unlock(&lock);
	two = bpf_refcount_acquire_impl(one, 0);
	if (two)
		bpf_obj_drop_impl(two, 0);
	return 0;
}

SEC("tc")
int ok_removed_through_first(struct __sk_buff *skb)
{
	struct bpf_rb_node *node;

	bpf_spin_lock(&lock);
	node = bpf_rbtree_first(&tree);
	if (!node) {
		bpf_spin_unlock(&lock);
		return 0;
	}
	node = bpf_rbtree_remove(&tree, node);
	bpf_spin_unlock(&lock);
	if (node)
		bpf_obj_drop_impl(container_of(node, struct shared, tree), 0);
	return 0;
}

struct shared_alone {
	__u64 key;
	struct bpf_refcount references;
};

struct kept {
	struct shared_alone __kptr *one;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2);
	__type(key, int);
	__type(value, struct kept);
} table SEC(".maps");

SEC("tc")
int bad_shared_through_a_map_unchecked(struct __sk_buff *skb)
{
	int key = 0;
	struct kept *kept = bpf_map_lookup_elem(&table, &key);
	struct shared_alone *one, *two;

	if (!kept)
		return 0;
	one = kept->one;
	if (!one)
		return 0;
	two = bpf_refcount_acquire_impl(one, 0);
	two->key = 1;
	bpf_obj_drop_impl(two, 0);
	return 0;
}

SEC("tc")
int ok_shared_through_a_map(struct __sk_buff *skb)
{
	int key = 0;
	struct kept *kept = bpf_map_lookup_elem(&table, &key);
	struct shared_alone *one, *two;

	if (!kept)
		return 0;
	one = kept->one;
	if (!one)
		return 0;
	two = bpf_refcount_acquire_impl(one, 0);
	if (two)
		bpf_obj_drop_impl(two, 0);
	return 0;
}

SEC("tc")
int ok_put_into_a_map(struct __sk_buff *skb)
{
	int key = 0;
	struct kept *kept = bpf_map_lookup_elem(&table, &key);
	struct shared_alone *one;

	if (!kept)
		return 0;
	one = NEW(struct shared_alone);
	if (!one)
		return 0;
	one = bpf_kptr_xchg(&kept->one, one);
	if (one)
		bpf_obj_drop_impl(one, 0);
	return 0;
}
