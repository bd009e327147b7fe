/* An object of the program's own that lies in two trees at once. */
#define BPF_NO_KFUNC_PROTOTYPES
#include "vmlinux.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#define __contains(name, node) __attribute__((btf_decl_tag("contains:" #name ":" #node)))
#define private(name) SEC(".data." #name) __hidden __attribute__((aligned(8)))

extern void *bpf_obj_new_impl(u64 local_type_id, void *meta) __ksym;
extern void bpf_obj_drop_impl(void *kptr, void *meta) __ksym;
extern void *bpf_refcount_acquire_impl(void *kptr, void *meta) __ksym;
extern int bpf_rbtree_add_impl(struct bpf_rb_root *root, struct bpf_rb_node *node,
			       bool(less)(struct bpf_rb_node *a, const struct bpf_rb_node *b),
			       void *meta, u64 off) __ksym;

struct shared {
	struct bpf_rb_node node;
	struct bpf_refcount references;
	u64 key;
};

private(A) struct bpf_spin_lock first_lock;
private(A) struct bpf_rb_root first __contains(shared, node);

static bool less(struct bpf_rb_node *a, const struct bpf_rb_node *b)
{
	return ((struct shared *)a)->key < ((struct shared *)b)->key;
}

SEC("tc")
int share(struct __sk_buff *skb)
{
	struct shared *object = bpf_obj_new_impl(bpf_core_type_id_local(struct shared), 0), *second;

	if (!object)
		return 1;
	second = bpf_refcount_acquire_impl(object, 0);
	object->key = skb->len;
	bpf_spin_lock(&first_lock);
	bpf_rbtree_add_impl(&first, &object->node, less, 0, 0);
	bpf_spin_unlock(&first_lock);
	if (second)
		bpf_obj_drop_impl(second, 0);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
