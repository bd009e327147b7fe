// Trees of objects: nodes that are in one, their order, and what may be done in it.
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
extern int bpf_rbtree_add_impl(struct bpf_rb_root *root, struct bpf_rb_node *node,
			       bool(less)(struct bpf_rb_node *a, const struct bpf_rb_node *b),
			       void *meta, __u64 off) __ksym;
extern struct bpf_rb_node *bpf_rbtree_remove(struct bpf_rb_root *root,
					     struct bpf_rb_node *node) __ksym;
extern struct bpf_rb_node *bpf_rbtree_first(struct bpf_rb_root *root) __ksym;
extern struct bpf_rb_node *bpf_rbtree_root(struct bpf_rb_root *root) __ksym;
extern struct bpf_rb_node *bpf_rbtree_left(struct bpf_rb_root *root,
					   struct bpf_rb_node *node) __ksym;
extern void bpf_rcu_read_lock(void) __ksym;
extern void bpf_rcu_read_unlock(void) __ksym;

struct leaf {
	__u64 key;
	struct bpf_rb_node node;
};

private(A) struct bpf_spin_lock lock;
private(A) struct bpf_rb_root tree __contains(leaf, node);

static bool less(struct bpf_rb_node *a, const struct bpf_rb_node *b)
{
	return container_of(a, struct leaf, node)->key < container_of(b, struct leaf, node)->key;
}

static bool less_changes(struct bpf_rb_node *a, const struct bpf_rb_node *b)
{
	bpf_rbtree_remove(&tree, a);
	return 0;
}

static bool less_looks(struct bpf_rb_node *a, const struct bpf_rb_node *b)
{
	bpf_rbtree_first(&tree);
	return 0;
}

static bool less_descends(struct bpf_rb_node *a, const struct bpf_rb_node *b)
{
	bpf_rbtree_left(&tree, a);
	return 0;
}

static bool less_unlocks(struct bpf_rb_node *a, const struct bpf_rb_node *b)
{
	bpf_spin_unlock(&lock);
	bpf_spin_lock(&lock);
	return 0;
}

static bool less_drops(struct bpf_rb_node *a, const struct bpf_rb_node *b)
{
	bpf_obj_drop_impl(container_of(a, struct leaf, node), 0);
	return 0;
}

static bool less_calls(struct bpf_rb_node *a, const struct bpf_rb_node *b)
{
	return bpf_get_prandom_u32() & 1;
}

static bool less_in_rcu(struct bpf_rb_node *a, const struct bpf_rb_node *b)
{
	bpf_rcu_read_lock();
	bpf_rcu_read_unlock();
	return 0;
}

static bool less_writes(struct bpf_rb_node *a, const struct bpf_rb_node *b)
{
	struct leaf *leaf = container_of(a, struct leaf, node);

	leaf->key = 2;
	return 0;
}

#define ADD(order)                                                   \
	struct leaf *leaf = NEW(struct leaf);                        \
                                                                     \
	if (!leaf)                                                   \
		return 0;                                            \
	leaf->key = skb->len;                                        \
	bpf_spin_lock(&lock);                                        \
	bpf_rbtree_add_impl(&tree, &leaf->node, order, 0, 0);        \
	bpf_spin_unlock(&lock);                                      \
	return 0

SEC("tc")
int ok_added(struct __sk_buff *skb)
{
	ADD(less);
}

SEC("tc")
int ok_order_writes(struct __sk_buff *skb)
{
	ADD(less_writes);
}

SEC("tc")
int bad_order_removes(struct __sk_buff *skb)
{
	ADD(less_changes);
}

SEC("tc")
int bad_order_descends(struct __sk_buff *skb)
{
	ADD(less_descends);
}

SEC("tc")
int ok_order_looks(struct __sk_buff *skb)
{
	ADD(less_looks);
}

SEC("tc")
int bad_order_unlocks(struct __sk_buff *skb)
{
	ADD(less_unlocks);
}

SEC("tc")
int bad_order_drops(struct __sk_buff *skb)
{
	ADD(less_drops);
}

SEC("tc")
int bad_order_calls(struct __sk_buff *skb)
{
	ADD(less_calls);
}

SEC("tc")
int bad_order_in_rcu(struct __sk_buff *skb)
{
	ADD(less_in_rcu);
}

SEC("tc")
int ok_two_added(struct __sk_buff *skb)
{
	struct leaf *one = NEW(struct leaf), *two;

	if (!one)
		return 0;
	two = NEW(struct leaf);
	if (!two) {
		bpf_obj_drop_impl(one, 0);
		return 0;
	}
	bpf_spin_lock(&lock);
	bpf_rbtree_add_impl(&tree, &one->node, less, 0, 0);
	bpf_rbtree_add_impl(&tree, &two->node, less, 0, 0);
	one->key = two->key;
	bpf_spin_unlock(&lock);
	return 0;
}

SEC("tc")
int ok_removed(struct __sk_buff *skb)
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
		bpf_obj_drop_impl(container_of(node, struct leaf, node), 0);
	return 0;
}

SEC("tc")
int bad_removed_unchecked(struct __sk_buff *skb)
{
	struct bpf_rb_node *node;

	bpf_spin_lock(&lock);
	node = bpf_rbtree_first(&tree);
	node = bpf_rbtree_remove(&tree, node);
	bpf_spin_unlock(&lock);
	if (node)
		bpf_obj_drop_impl(container_of(node, struct leaf, node), 0);
	return 0;
}

SEC("tc")
int bad_removed_and_kept(struct __sk_buff *skb)
{
	struct bpf_rb_node *node;

	bpf_spin_lock(&lock);
	node = bpf_rbtree_first(&tree);
	if (node)
		bpf_rbtree_remove(&tree, node);
	bpf_spin_unlock(&lock);
	return 0;
}

SEC("tc")
int bad_removed_without_lock(struct __sk_buff *skb)
{
	struct bpf_rb_node *node = bpf_rbtree_first(&tree);

	return node != 0;
}

SEC("tc")
int bad_removed_after_unlock(struct __sk_buff *skb)
{
	struct bpf_rb_node *node;

	bpf_spin_lock(&lock);
	node = bpf_rbtree_first(&tree);
	bpf_spin_unlock(&lock);
	if (!node)
		return 0;
	bpf_spin_lock(&lock);
	node = bpf_rbtree_remove(&tree, node);
	bpf_spin_unlock(&lock);
	if (node)
		bpf_obj_drop_impl(container_of(node, struct leaf, node), 0);
	return 0;
}

SEC("tc")
int bad_first_dropped(struct __sk_buff *skb)
{
	struct bpf_rb_node *node;

	bpf_spin_lock(&lock);
	node = bpf_rbtree_first(&tree);
	bpf_spin_unlock(&lock);
	if (node)
		bpf_obj_drop_impl(container_of(node, struct leaf, node), 0);
	return 0;
}

SEC("tc")
int ok_walked(struct __sk_buff *skb)
{
	struct bpf_rb_node *node;
	__u64 key = 0;

	bpf_spin_lock(&lock);
	node = bpf_rbtree_root(&tree);
	for (int i = 0; i < 4 && node; i++) {
		key = container_of(node, struct leaf, node)->key;
		node = bpf_rbtree_left(&tree, node);
	}
	bpf_spin_unlock(&lock);
	return key & 1;
}

SEC("tc")
int bad_removed_is_read_before_check(struct __sk_buff *skb)
{
	struct bpf_rb_node *node;
	__u64 key = 0;

	bpf_spin_lock(&lock);
	node = bpf_rbtree_root(&tree);
	if (node)
		node = bpf_rbtree_left(&tree, node);
	key = container_of(node, struct leaf, node)->key;
	bpf_spin_unlock(&lock);
	return key & 1;
}
