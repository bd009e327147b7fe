// Locks that may be refused: taken in any number, given back in order.
#define BPF_NO_KFUNC_PROTOTYPES
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

#define NEW(type) ((type *)bpf_obj_new_impl(bpf_core_type_id_local(type), 0))

char _license[] SEC("license") = "GPL";

extern int bpf_res_spin_lock(struct bpf_res_spin_lock *lock) __ksym;
extern void bpf_res_spin_unlock(struct bpf_res_spin_lock *lock) __ksym;
extern int bpf_res_spin_lock_irqsave(struct bpf_res_spin_lock *lock,
				     unsigned long *flags__irq_flag) __ksym;
extern void bpf_res_spin_unlock_irqrestore(struct bpf_res_spin_lock *lock,
					   unsigned long *flags__irq_flag) __ksym;

struct item {
	struct bpf_res_spin_lock lock;
	__u32 count;
};

struct table {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, struct item);
};

struct counted {
	struct bpf_res_spin_lock lock;
	struct bpf_refcount references;
};

extern void *bpf_obj_new_impl(__u64 local_type_id, void *meta) __ksym;
extern void bpf_obj_drop_impl(void *kptr, void *meta) __ksym;

struct table first SEC(".maps"), second SEC(".maps");

static struct item *find(void *map)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(map, &zero);
}

SEC("tc")
int ok_taken(struct __sk_buff *skb)
{
	struct item *item = find(&first);

	if (!item)
		return 0;
	if (bpf_res_spin_lock(&item->lock))
		return 1;
	item->count++;
	bpf_res_spin_unlock(&item->lock);
	return 0;
}

SEC("tc")
int bad_unlocked_when_refused(struct __sk_buff *skb)
{
	struct item *item = find(&first);

	if (!item)
		return 0;
	bpf_res_spin_lock(&item->lock);
	item->count++;
	bpf_res_spin_unlock(&item->lock);
	return 0;
}

SEC("tc")
int bad_not_unlocked(struct __sk_buff *skb)
{
	struct item *item = find(&first);

	if (!item)
		return 0;
	if (bpf_res_spin_lock(&item->lock))
		return 1;
	item->count++;
	return 0;
}

SEC("tc")
int ok_two(struct __sk_buff *skb)
{
	struct item *one = find(&first), *two = find(&second);

	if (!one || !two)
		return 0;
	if (bpf_res_spin_lock(&one->lock))
		return 1;
	if (bpf_res_spin_lock(&two->lock)) {
		bpf_res_spin_unlock(&one->lock);
		return 1;
	}
	bpf_res_spin_unlock(&two->lock);
	bpf_res_spin_unlock(&one->lock);
	return 0;
}

SEC("tc")
int bad_out_of_order(struct __sk_buff *skb)
{
	struct item *one = find(&first), *two = find(&second);

	if (!one || !two)
		return 0;
	if (bpf_res_spin_lock(&one->lock))
		return 1;
	if (bpf_res_spin_lock(&two->lock)) {
		bpf_res_spin_unlock(&one->lock);
		return 1;
	}
	bpf_res_spin_unlock(&one->lock);
	bpf_res_spin_unlock(&two->lock);
	return 0;
}

SEC("tc")
int bad_taken_twice(struct __sk_buff *skb)
{
	struct item *item = find(&first);

	if (!item)
		return 0;
	if (bpf_res_spin_lock(&item->lock))
		return 1;
	if (!bpf_res_spin_lock(&item->lock))
		bpf_res_spin_unlock(&item->lock);
	bpf_res_spin_unlock(&item->lock);
	return 0;
}

SEC("tc")
int bad_unlocked_as_spin_lock(struct __sk_buff *skb)
{
	struct item *item = find(&first);

	if (!item)
		return 0;
	if (bpf_res_spin_lock(&item->lock))
		return 1;
	bpf_spin_unlock((void *)&item->lock);
	return 0;
}

SEC("tc")
int ok_with_interrupts_off(struct __sk_buff *skb)
{
	struct item *item = find(&first);
	unsigned long flags;

	if (!item)
		return 0;
	if (bpf_res_spin_lock_irqsave(&item->lock, &flags))
		return 1;
	item->count++;
	bpf_res_spin_unlock_irqrestore(&item->lock, &flags);
	return 0;
}

SEC("tc")
int bad_interrupts_left_off(struct __sk_buff *skb)
{
	struct item *item = find(&first);
	unsigned long flags;

	if (!item)
		return 0;
	if (bpf_res_spin_lock_irqsave(&item->lock, &flags))
		return 1;
	bpf_res_spin_unlock(&item->lock);
	return 0;
}

SEC("tc")
int bad_helper_called(struct __sk_buff *skb)
{
	struct item *item = find(&first);

	if (!item)
		return 0;
	if (bpf_res_spin_lock(&item->lock))
		return 1;
	item->count = bpf_get_prandom_u32();
	bpf_res_spin_unlock(&item->lock);
	return 0;
}

SEC("tc")
int bad_two_look_ups(struct __sk_buff *skb)
{
	struct item *one = find(&first), *two = find(&first);

	if (!one || !two)
		return 0;
	if (bpf_res_spin_lock(&one->lock))
		return 1;
	bpf_res_spin_unlock(&two->lock);
	return 0;
}

SEC("tc")
int ok_in_object_with_a_count(struct __sk_buff *skb)
{
	struct counted *counted = NEW(struct counted);

	if (!counted)
		return 0;
	if (!bpf_res_spin_lock(&counted->lock))
		bpf_res_spin_unlock(&counted->lock);
	bpf_obj_drop_impl(counted, 0);
	return 0;
}

SEC("tc")
int bad_in_object_alone(struct __sk_buff *skb)
{
	struct item *item = NEW(struct item);

	if (!item)
		return 0;
	if (!bpf_res_spin_lock(&item->lock))
		bpf_res_spin_unlock(&item->lock);
	bpf_obj_drop_impl(item, 0);
	return 0;
}

SEC("tc")
int bad_restored_from_another_slot(struct __sk_buff *skb)
{
	struct item *one = find(&first), *two = find(&second);
	unsigned long inner, outer;

	if (!one || !two)
		return 0;
	if (bpf_res_spin_lock_irqsave(&one->lock, &outer))
		return 0;
	if (bpf_res_spin_lock_irqsave(&two->lock, &inner)) {
		bpf_res_spin_unlock_irqrestore(&one->lock, &outer);
		return 0;
	}
	bpf_res_spin_unlock_irqrestore(&two->lock, &outer);
	bpf_res_spin_unlock_irqrestore(&one->lock, &inner);
	return 0;
}
