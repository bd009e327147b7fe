// Objects that programs make of structs of their own: made, used, given back.
#define BPF_NO_KFUNC_PROTOTYPES
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

char _license[] SEC("license") = "GPL";

extern void *bpf_obj_new_impl(__u64 local_type_id, void *meta) __ksym;
extern void bpf_obj_drop_impl(void *kptr, void *meta) __ksym;

struct plain {
	__u64 first;
	__u32 second;
	__u8 bytes[12];
	struct plain *other;
};

struct locked {
	__u64 count;
	struct bpf_spin_lock lock;
	__u32 rest;
};

#define NEW(type) ((type *)bpf_obj_new_impl(bpf_core_type_id_local(type), 0))

SEC("tc")
int ok_made_and_dropped(struct __sk_buff *skb)
{
	struct plain *object = NEW(struct plain);
	int value;

	if (!object)
		return 0;
	object->first = skb->len;
	object->bytes[3] = 1;
	value = object->second + object->bytes[skb->len & 7 ? 2 : 1];
	bpf_obj_drop_impl(object, 0);
	return value & 1;
}

SEC("tc")
int bad_not_dropped(struct __sk_buff *skb)
{
	struct plain *object = NEW(struct plain);

	if (!object)
		return 0;
	object->first = 1;
	return 0;
}

SEC("tc")
int bad_may_be_null(struct __sk_buff *skb)
{
	struct plain *object = NEW(struct plain);

	object->first = 1;
	return 0;
}

SEC("tc")
int bad_drop_of_what_may_be_null(struct __sk_buff *skb)
{
	bpf_obj_drop_impl(NEW(struct plain), 0);
	return 0;
}

SEC("tc")
int bad_dropped_twice(struct __sk_buff *skb)
{
	struct plain *object = NEW(struct plain);

	if (!object)
		return 0;
	bpf_obj_drop_impl(object, 0);
	bpf_obj_drop_impl(object, 0);
	return 0;
}

SEC("tc")
int bad_used_after_drop(struct __sk_buff *skb)
{
	struct plain *object = NEW(struct plain);

	if (!object)
		return 0;
	bpf_obj_drop_impl(object, 0);
	return object->second & 1;
}

SEC("tc")
int bad_beyond_its_end(struct __sk_buff *skb)
{
	struct plain *object = NEW(struct plain);
	__u64 *words = (void *)object;

	if (!object)
		return 0;
	words[4] = 1;
	bpf_obj_drop_impl(object, 0);
	return 0;
}

SEC("tc")
int bad_across_members(struct __sk_buff *skb)
{
	struct plain *object = NEW(struct plain);
	int value;

	if (!object)
		return 0;
	value = *(volatile __u64 *)&object->second;
	bpf_obj_drop_impl(object, 0);
	return value & 1;
}

SEC("tc")
int bad_variable_offset(struct __sk_buff *skb)
{
	struct plain *object = NEW(struct plain);
	int value;

	if (!object)
		return 0;
	value = object->bytes[skb->len & 7];
	bpf_obj_drop_impl(object, 0);
	return value & 1;
}

SEC("tc")
int ok_pointer_in_it_is_a_number(struct __sk_buff *skb)
{
	struct plain *object = NEW(struct plain), *other;

	if (!object)
		return 0;
	other = object->other;
	bpf_obj_drop_impl(object, 0);
	return (unsigned long)other & 1;
}

SEC("tc")
int bad_pointer_in_it_is_used(struct __sk_buff *skb)
{
	struct plain *object = NEW(struct plain);
	int value = 0;

	if (!object)
		return 0;
	if (object->other)
		value = object->other->second;
	bpf_obj_drop_impl(object, 0);
	return value & 1;
}

SEC("tc")
int ok_locked(struct __sk_buff *skb)
{
	struct locked *object = NEW(struct locked);

	if (!object)
		return 0;
	bpf_spin_lock(&object->lock);
	object->count++;
	bpf_spin_unlock(&object->lock);
	bpf_obj_drop_impl(object, 0);
	return 0;
}

SEC("tc")
int bad_lock_of_another(struct __sk_buff *skb)
{
	struct locked *one = NEW(struct locked), *two;

	if (!one)
		return 0;
	two = NEW(struct locked);
	if (!two) {
		bpf_obj_drop_impl(one, 0);
		return 0;
	}
	bpf_spin_lock(&one->lock);
	bpf_spin_unlock(&two->lock);
	bpf_obj_drop_impl(one, 0);
	bpf_obj_drop_impl(two, 0);
	return 0;
}

SEC("tc")
int bad_lock_written(struct __sk_buff *skb)
{
	struct locked *object = NEW(struct locked);

	if (!object)
		return 0;
	*(volatile __u32 *)&object->lock = 1;
	bpf_obj_drop_impl(object, 0);
	return 0;
}

SEC("tc")
int bad_type_is_no_struct(struct __sk_buff *skb)
{
	void *object = bpf_obj_new_impl(bpf_core_type_id_local(__u64), 0);

	if (object)
		bpf_obj_drop_impl(object, 0);
	return 0;
}

SEC("tc")
int bad_type_is_not_constant(struct __sk_buff *skb)
{
	void *object = bpf_obj_new_impl(skb->len, 0);

	if (object)
		bpf_obj_drop_impl(object, 0);
	return 0;
}

SEC("tc")
int bad_passed_to_helper(struct __sk_buff *skb)
{
	struct plain *object = NEW(struct plain);

	if (!object)
		return 0;
	bpf_skb_load_bytes(skb, 0, object, 8);
	bpf_obj_drop_impl(object, 0);
	return 0;
}

SEC("tc")
int bad_dropped_from_the_middle(struct __sk_buff *skb)
{
	struct plain *object = NEW(struct plain);

	if (!object)
		return 0;
	bpf_obj_drop_impl(&object->second, 0);
	return 0;
}
