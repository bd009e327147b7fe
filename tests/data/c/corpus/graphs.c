/* Objects that programs allocate themselves, in a list and a tree under one lock. */
#define BPF_NO_KFUNC_PROTOTYPES
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

#define __contains(name, node) __attribute__((btf_decl_tag("contains:" #name ":" #node)))
#define private(name) SEC(".data." #name) __hidden __attribute__((aligned(8)))

extern void *bpf_obj_new_impl(u64 local_type_id, void *meta) __ksym;
extern void bpf_obj_drop_impl(void *kptr, void *meta) __ksym;
extern int bpf_list_push_front_impl(struct bpf_list_head *head, struct bpf_list_node *node,
				    void *meta, u64 off) __ksym;
extern struct bpf_list_node *bpf_list_pop_back(struct bpf_list_head *head) __ksym;
extern int bpf_rbtree_add_impl(struct bpf_rb_root *root, struct bpf_rb_node *node,
			       bool(less)(struct bpf_rb_node *a, const struct bpf_rb_node *b),
			       void *meta, u64 off) __ksym;

struct item {
	struct bpf_list_node list;
	u64 value;
};

struct leaf {
	struct bpf_rb_node node;
	u64 key;
};

private(A) struct bpf_spin_lock lock;
private(A) struct bpf_list_head items __contains(item, list);
private(A) struct bpf_rb_root tree __contains(leaf, node);

static bool less(struct bpf_rb_node *a, const struct bpf_rb_node *b)
{
	return ((struct leaf *)a)->key < ((struct leaf *)b)->key;
}

SEC("tc")
int keep(struct __sk_buff *skb)
{
	struct item *item = bpf_obj_new_impl(bpf_core_type_id_local(struct item), 0);
	struct leaf *leaf;
	struct bpf_list_node *node;

	if (!item)
		return 0;
	item->value = skb->len;
	leaf = bpf_obj_new_impl(bpf_core_type_id_local(struct leaf), 0);
	if (!leaf) {
		bpf_obj_drop_impl(item, 0);
		return 0;
	}
	leaf->key = skb->hash;
	bpf_spin_lock(&lock);
	bpf_list_push_front_impl(&items, &item->list, 0, 0);
	bpf_rbtree_add_impl(&tree, &leaf->node, less, 0, 0);
	node = bpf_list_pop_back(&items);
	bpf_spin_unlock(&lock);
	if (node)
		bpf_obj_drop_impl((struct item *)node, 0);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
