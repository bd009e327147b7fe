// Objects of the program's own that maps and other objects keep.
#define BPF_NO_KFUNC_PROTOTYPES
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

#define __kptr __attribute__((btf_type_tag("kptr")))
#define __contains(name, node) __attribute__((btf_decl_tag("contains:" #name ":" #node)))
#define private(name) SEC(".data." #name) __hidden __attribute__((aligned(8)))
#define NEW(type) ((type *)bpf_obj_new_impl(bpf_core_type_id_local(type), 0))

char _license[] SEC("license") = "GPL";

extern void *bpf_obj_new_impl(__u64 local_type_id, void *meta) __ksym;
extern void bpf_obj_drop_impl(void *kptr, void *meta) __ksym;
extern int bpf_list_push_back_impl(struct bpf_list_head *head, struct bpf_list_node *node,
				   void *meta, __u64 off) __ksym;
extern void *bpf_refcount_acquire_impl(void *kptr, void *meta) __ksym;
extern void bpf_rcu_read_lock(void) __ksym;
extern void bpf_rcu_read_unlock(void) __ksym;

struct inner {
	__u64 value;
};

struct outer {
	__u64 value;
	struct inner __kptr *inner;
};

struct kept_node {
	__u64 value;
	struct bpf_list_node list;
	struct bpf_refcount references;
};

struct kept {
	struct inner __kptr *inner;
	struct outer __kptr *outer;
	struct kept_node __kptr *node;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct kept);
} keep SEC(".maps");

struct kept_node keeps_the_type; /* which clang would only declare */

private(A) struct bpf_spin_lock lock;
private(A) struct bpf_list_head nodes __contains(kept_node, list);

static struct kept *find(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&keep, &zero);
}

SEC("tc")
int ok_exchanged(struct __sk_buff *skb)
{
	struct kept *kept = find();
	struct inner *inner;

	if (!kept)
		return 0;
	inner = NEW(struct inner);
	if (!inner)
		return 0;
	inner->value = skb->len;
	inner = bpf_kptr_xchg(&kept->inner, inner);
	if (inner)
		bpf_obj_drop_impl(inner, 0);
	return 0;
}

SEC("tc")
int bad_another_struct(struct __sk_buff *skb)
{
	struct kept *kept = find();
	struct inner *inner;
	void *old;

	if (!kept)
		return 0;
	inner = NEW(struct inner);
	if (!inner)
		return 0;
	old = bpf_kptr_xchg(&kept->outer, inner);
	if (old)
		bpf_obj_drop_impl(old, 0);
	return 0;
}

SEC("tc")
int bad_used_after(struct __sk_buff *skb)
{
	struct kept *kept = find();
	struct inner *inner, *old;

	if (!kept)
		return 0;
	inner = NEW(struct inner);
	if (!inner)
		return 0;
	old = bpf_kptr_xchg(&kept->inner, inner);
	if (old)
		bpf_obj_drop_impl(old, 0);
	inner->value = 1;
	return 0;
}

SEC("tc")
int ok_object_in_object(struct __sk_buff *skb)
{
	struct outer *outer = NEW(struct outer);
	struct inner *inner;

	if (!outer)
		return 0;
	inner = NEW(struct inner);
	if (inner) {
		inner = bpf_kptr_xchg(&outer->inner, inner);
		if (inner)
			bpf_obj_drop_impl(inner, 0);
	}
	bpf_obj_drop_impl(outer, 0);
	return 0;
}

SEC("tc")
int bad_pointer_in_object_read(struct __sk_buff *skb)
{
	struct outer *outer = NEW(struct outer);
	unsigned long inner;

	if (!outer)
		return 0;
	inner = (unsigned long)outer->inner;
	bpf_obj_drop_impl(outer, 0);
	return inner & 1;
}

SEC("tc")
int ok_loaded_and_read(struct __sk_buff *skb)
{
	struct kept *kept = find();
	struct inner *inner;

	if (!kept)
		return 0;
	inner = kept->inner;
	return inner ? inner->value & 1 : 0;
}

SEC("tc")
int ok_loaded_and_written(struct __sk_buff *skb)
{
	struct kept *kept = find();
	struct inner *inner;

	if (!kept)
		return 0;
	inner = kept->inner;
	if (inner)
		inner->value = 1;
	return 0;
}

SEC("tc")
int bad_loaded_and_dropped(struct __sk_buff *skb)
{
	struct kept *kept = find();
	struct inner *inner;

	if (!kept)
		return 0;
	inner = kept->inner;
	if (inner)
		bpf_obj_drop_impl(inner, 0);
	return 0;
}

SEC("tc")
int ok_node_loaded_and_shared(struct __sk_buff *skb)
{
	struct kept *kept = find();
	struct kept_node *node;

	if (!kept)
		return 0;
	node = kept->node;
	if (!node)
		return 0;
	node = bpf_refcount_acquire_impl(node, 0);
	if (!node)
		return 0;
	bpf_spin_lock(&lock);
	bpf_list_push_back_impl(&nodes, &node->list, 0, 0);
	bpf_spin_unlock(&lock);
	return 0;
}

SEC("tc")
int bad_node_loaded_and_pushed(struct __sk_buff *skb)
{
	struct kept *kept = find();
	struct kept_node *node;

	if (!kept)
		return 0;
	node = kept->node;
	if (!node)
		return 0;
	bpf_spin_lock(&lock);
	bpf_list_push_back_impl(&nodes, &node->list, 0, 0);
	bpf_spin_unlock(&lock);
	return 0;
}

SEC("tc")
int bad_node_seen_after_unlock(struct __sk_buff *skb)
{
	struct kept *kept = find();
	struct kept_node *node;

	if (!kept)
		return 0;
	node = kept->node;
	if (!node)
		return 0;
	bpf_spin_lock(&lock);
	bpf_spin_unlock(&lock);
	return node->value & 1;
}

SEC("tc")
int bad_exchanged_under_lock(struct __sk_buff *skb)
{
	struct kept *kept = find();
	struct inner *inner;

	if (!kept)
		return 0;
	bpf_spin_lock(&lock);
	inner = bpf_kptr_xchg(&kept->inner, 0);
	bpf_spin_unlock(&lock);
	if (inner)
		bpf_obj_drop_impl(inner, 0);
	return 0;
}

SEC("syscall")
int bad_written_where_programs_sleep(void *ctx)
{
	struct kept *kept = find();
	struct inner *inner;

	if (!kept)
		return 0;
	inner = kept->inner;
	if (inner)
		inner->value = 1;
	return 0;
}

SEC("syscall")
int ok_written_in_rcu_section(void *ctx)
{
	struct kept *kept = find();
	struct inner *inner;

	if (!kept)
		return 0;
	bpf_rcu_read_lock();
	inner = kept->inner;
	if (inner)
		inner->value = 1;
	bpf_rcu_read_unlock();
	return 0;
}
