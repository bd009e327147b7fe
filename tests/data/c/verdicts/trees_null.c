// Trees whose nodes are the objects' first member: a node may be NULL there, too.
#define BPF_NO_KFUNC_PROTOTYPES
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

#define __contains(name, node) __attribute__((btf_decl_tag("contains:" #name ":" #node)))
#define private(name) SEC(".data." #name) __hidden __attribute__((aligned(8)))

char _license[] SEC("license") = "GPL";

extern void *bpf_obj_new_impl(__u64 local_type_id, void *meta) __ksym;
extern void bpf_obj_drop_impl(void *kptr, void *meta) __ksym;
extern struct bpf_rb_node *bpf_rbtree_remove(struct bpf_rb_root *root,
					     struct bpf_rb_node *node) __ksym;
extern struct bpf_rb_node *bpf_rbtree_first(struct bpf_rb_root *root) __ksym;

struct leaf {
	struct bpf_rb_node node;
	__u64 key;
};

private(A) struct bpf_spin_lock lock;
private(A) struct bpf_rb_root tree __contains(leaf, node);

static void drop(struct bpf_rb_node *node)
{
	if (node)
		bpf_obj_drop_impl(container_of(node, struct leaf, node), 0);
}

SEC("tc")
int bad_checked_and_kept(struct __sk_buff *skb)
{
	struct leaf *unused = bpf_obj_new_impl(bpf_core_type_id_local(struct leaf), 0);
	struct bpf_rb_node *node;

	if (unused)
		bpf_obj_drop_impl(unused, 0);
	bpf_spin_lock(&lock);
	node = bpf_rbtree_first(&tree);
	if (node)
		node = bpf_rbtree_remove(&tree, node);
	bpf_spin_unlock(&lock);
	return 0;
}

SEC("tc")
int ok_checked(struct __sk_buff *skb)
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
	drop(node);
	return 0;
}

SEC("tc")
int bad_not_checked(struct __sk_buff *skb)
{
	struct bpf_rb_node *node;

	bpf_spin_lock(&lock);
	node = bpf_rbtree_first(&tree);
	node = bpf_rbtree_remove(&tree, node);
	bpf_spin_unlock(&lock);
	drop(node);
	return 0;
}
