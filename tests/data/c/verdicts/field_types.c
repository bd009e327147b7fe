// Which of a type's members Linux takes for its own: by name, size, place, and how many there are.
#define BPF_NO_KFUNC_PROTOTYPES
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

#define __kptr __attribute__((btf_type_tag("kptr")))
#define NEW(type) ((type *)bpf_obj_new_impl(bpf_core_type_id_local(type), 0))

char _license[] SEC("license") = "GPL";

extern void *bpf_obj_new_impl(__u64 local_type_id, void *meta) __ksym;
extern void bpf_obj_drop_impl(void *kptr, void *meta) __ksym;

struct inside {
	__u32 before;
	struct bpf_spin_lock lock;
};

struct nested {
	__u64 value;
	struct inside inside;
};

struct one_of_one {
	__u64 value;
	struct bpf_spin_lock lock[1];
};

struct timed {
	__u64 value;
	struct bpf_timer timer;
};

struct two_structs {
	struct timed one, two;
};

struct two_timers {
	struct bpf_timer one, two;
	__u64 value;
};

struct packed {
	__u32 value;
	struct bpf_timer timer;
} __attribute__((packed));

struct in_union {
	__u64 value;
	union {
		struct bpf_spin_lock lock;
		__u32 number;
	};
};

struct number_pointer {
	__u64 __kptr *number;
};

struct node_value {
	__u64 value;
	struct bpf_list_node node;
};

#define MAP(kind, name, of)                         \
	struct {                                    \
		__uint(type, BPF_MAP_TYPE_##kind);  \
		__uint(max_entries, 4);             \
		__type(key, __u32);                 \
		__type(value, struct of);           \
	} name SEC(".maps")

MAP(HASH, nested, nested);
MAP(HASH, one_of_one, one_of_one);
MAP(HASH, two_structs, two_structs);
MAP(HASH, two_timers, two_timers);
MAP(HASH, packed, packed);
MAP(HASH, in_union, in_union);
MAP(HASH, number_pointer, number_pointer);
MAP(HASH, node_value, node_value);
MAP(PERCPU_HASH, percpu_timed, timed);
MAP(LRU_HASH, lru_nested, nested);

#define FIND(map, of)                                              \
	__u32 key = skb->len;                                      \
	struct of *value = bpf_map_lookup_elem(&map, &key);        \
                                                                   \
	if (!value)                                                \
	return 0

SEC("tc")
int ok_lock_in_struct_in_struct(struct __sk_buff *skb)
{
	FIND(nested, nested);
	bpf_spin_lock(&value->inside.lock);
	value->value++;
	bpf_spin_unlock(&value->inside.lock);
	return 0;
}

SEC("tc")
int bad_lock_in_struct_in_struct_written(struct __sk_buff *skb)
{
	FIND(nested, nested);
	*(volatile __u32 *)&value->inside.lock = 1;
	return 0;
}

SEC("tc")
int ok_array_of_one(struct __sk_buff *skb)
{
	FIND(one_of_one, one_of_one);
	bpf_spin_lock(&value->lock[0]);
	value->value++;
	bpf_spin_unlock(&value->lock[0]);
	return 0;
}

SEC("tc")
int ok_last_of_two_structs(struct __sk_buff *skb)
{
	FIND(two_structs, two_structs);
	return bpf_timer_cancel(&value->two.timer);
}

SEC("tc")
int bad_first_of_two_structs(struct __sk_buff *skb)
{
	FIND(two_structs, two_structs);
	return bpf_timer_cancel(&value->one.timer);
}

SEC("tc")
int bad_first_of_two_structs_written(struct __sk_buff *skb)
{
	FIND(two_structs, two_structs);
	*(volatile __u64 *)&value->one.timer = 1;
	return 0;
}

SEC("tc")
int bad_two_timers(struct __sk_buff *skb)
{
	FIND(two_timers, two_timers);
	return bpf_timer_cancel(&value->one);
}

SEC("tc")
int ok_two_timers_are_just_memory(struct __sk_buff *skb)
{
	FIND(two_timers, two_timers);
	*(volatile __u64 *)&value->one = 1;
	return 0;
}

SEC("tc")
int bad_unaligned(struct __sk_buff *skb)
{
	FIND(packed, packed);
	return bpf_timer_cancel(&value->timer);
}

SEC("tc")
int ok_union_is_just_memory(struct __sk_buff *skb)
{
	FIND(in_union, in_union);
	value->number = 1;
	return 0;
}

SEC("tc")
int bad_lock_in_union(struct __sk_buff *skb)
{
	FIND(in_union, in_union);
	bpf_spin_lock(&value->lock);
	bpf_spin_unlock(&value->lock);
	return 0;
}

SEC("tc")
int ok_pointer_to_number_is_just_memory(struct __sk_buff *skb)
{
	FIND(number_pointer, number_pointer);
	*(volatile __u32 *)&value->number = 1;
	return 0;
}

SEC("tc")
int ok_node_in_value_is_just_memory(struct __sk_buff *skb)
{
	FIND(node_value, node_value);
	*(volatile __u64 *)&value->node = 1;
	return 0;
}

SEC("tc")
int bad_timer_per_cpu(struct __sk_buff *skb)
{
	FIND(percpu_timed, timed);
	return bpf_timer_cancel(&value->timer);
}

SEC("tc")
int bad_lock_in_lru_map(struct __sk_buff *skb)
{
	FIND(lru_nested, nested);
	bpf_spin_lock(&value->inside.lock);
	bpf_spin_unlock(&value->inside.lock);
	return 0;
}

SEC("tc")
int ok_lock_deep_in_object_is_just_memory(struct __sk_buff *skb)
{
	struct nested *object = NEW(struct nested);

	if (!object)
		return 0;
	*(volatile __u32 *)&object->inside.lock = 1;
	bpf_obj_drop_impl(object, 0);
	return 0;
}

SEC("tc")
int bad_lock_deep_in_object(struct __sk_buff *skb)
{
	struct nested *object = NEW(struct nested);

	if (!object)
		return 0;
	bpf_spin_lock(&object->inside.lock);
	bpf_spin_unlock(&object->inside.lock);
	bpf_obj_drop_impl(object, 0);
	return 0;
}

SEC("tc")
int ok_timer_in_object_is_just_memory(struct __sk_buff *skb)
{
	struct timed *object = NEW(struct timed);

	if (!object)
		return 0;
	*(volatile __u64 *)&object->timer = 1;
	bpf_obj_drop_impl(object, 0);
	return 0;
}
