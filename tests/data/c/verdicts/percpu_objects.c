// Objects of which each CPU has one.
#define BPF_NO_KFUNC_PROTOTYPES
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

#define __kptr __attribute__((btf_type_tag("kptr")))
#define __percpu_kptr __attribute__((btf_type_tag("percpu_kptr")))
#define NEW(type) ((type *)bpf_percpu_obj_new_impl(bpf_core_type_id_local(type), 0))

char _license[] SEC("license") = "GPL";

extern void *bpf_obj_new_impl(__u64 local_type_id, void *meta) __ksym;
extern void bpf_obj_drop_impl(void *kptr, void *meta) __ksym;
extern void *bpf_percpu_obj_new_impl(__u64 local_type_id, void *meta) __ksym;
extern void bpf_percpu_obj_drop_impl(void *kptr, void *meta) __ksym;
extern void bpf_rcu_read_lock(void) __ksym;
extern void bpf_rcu_read_unlock(void) __ksym;

struct count {
	__u64 packets;
	__u64 bytes;
};

struct big {
	char bytes[520];
};

struct locked {
	struct bpf_spin_lock lock;
	__u32 value;
};

struct pointing {
	struct count *count;
};

struct kept {
	struct count __percpu_kptr *count;
	struct count __kptr *single;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct kept);
} keep SEC(".maps");

static struct kept *find(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&keep, &zero);
}

SEC("tc")
int ok_made_and_dropped(struct __sk_buff *skb)
{
	struct count *count = NEW(struct count);

	if (count)
		bpf_percpu_obj_drop_impl(count, 0);
	return 0;
}

SEC("tc")
int bad_dropped_as_one(struct __sk_buff *skb)
{
	struct count *count = NEW(struct count);

	if (count)
		bpf_obj_drop_impl(count, 0);
	return 0;
}

SEC("tc")
int bad_one_dropped_as_many(struct __sk_buff *skb)
{
	struct count *count = bpf_obj_new_impl(bpf_core_type_id_local(struct count), 0);

	if (count)
		bpf_percpu_obj_drop_impl(count, 0);
	return 0;
}

SEC("tc")
int bad_read_directly(struct __sk_buff *skb)
{
	struct count *count = NEW(struct count);
	int packets;

	if (!count)
		return 0;
	packets = count->packets;
	bpf_percpu_obj_drop_impl(count, 0);
	return packets & 1;
}

SEC("tc")
int bad_too_big(struct __sk_buff *skb)
{
	struct big *big = NEW(struct big);

	if (big)
		bpf_percpu_obj_drop_impl(big, 0);
	return 0;
}

SEC("tc")
int bad_with_fields(struct __sk_buff *skb)
{
	struct locked *locked = NEW(struct locked);

	if (locked)
		bpf_percpu_obj_drop_impl(locked, 0);
	return 0;
}

SEC("tc")
int bad_with_pointers(struct __sk_buff *skb)
{
	struct pointing *pointing = NEW(struct pointing);

	if (pointing)
		bpf_percpu_obj_drop_impl(pointing, 0);
	return 0;
}

SEC("tc")
int ok_kept_and_counted(struct __sk_buff *skb)
{
	struct kept *kept = find();
	struct count *count, *mine;

	if (!kept)
		return 0;
	count = NEW(struct count);
	if (!count)
		return 0;
	count = bpf_kptr_xchg(&kept->count, count);
	if (count)
		bpf_percpu_obj_drop_impl(count, 0);
	count = kept->count;
	if (!count)
		return 0;
	mine = bpf_this_cpu_ptr(count);
	mine->packets++;
	mine->bytes += skb->len;
	return 0;
}

SEC("tc")
int ok_of_another_cpu(struct __sk_buff *skb)
{
	struct kept *kept = find();
	struct count *count, *other;

	if (!kept)
		return 0;
	count = kept->count;
	if (!count)
		return 0;
	other = bpf_per_cpu_ptr(count, 1);
	return other ? other->packets & 1 : 0;
}

SEC("tc")
int bad_of_another_cpu_unchecked(struct __sk_buff *skb)
{
	struct kept *kept = find();
	struct count *count, *other;

	if (!kept)
		return 0;
	count = kept->count;
	if (!count)
		return 0;
	other = bpf_per_cpu_ptr(count, 1);
	return other->packets & 1;
}

SEC("tc")
int bad_kept_as_one(struct __sk_buff *skb)
{
	struct kept *kept = find();
	struct count *count;

	if (!kept)
		return 0;
	count = NEW(struct count);
	if (!count)
		return 0;
	count = bpf_kptr_xchg(&kept->single, count);
	if (count)
		bpf_obj_drop_impl(count, 0);
	return 0;
}

SEC("tc")
int ok_seen_after_exchange(struct __sk_buff *skb)
{
	struct kept *kept = find();
	struct count *count, *old, *mine;

	if (!kept)
		return 0;
	count = NEW(struct count);
	if (!count)
		return 0;
	old = bpf_kptr_xchg(&kept->count, count);
	if (old)
		bpf_percpu_obj_drop_impl(old, 0);
	mine = bpf_this_cpu_ptr(count);
	mine->packets = 1;
	return 0;
}

SEC("syscall")
int bad_seen_after_exchange_where_programs_sleep(void *ctx)
{
	struct kept *kept = find();
	struct count *count, *old, *mine;

	if (!kept)
		return 0;
	count = NEW(struct count);
	if (!count)
		return 0;
	old = bpf_kptr_xchg(&kept->count, count);
	if (old)
		bpf_percpu_obj_drop_impl(old, 0);
	mine = bpf_this_cpu_ptr(count);
	mine->packets = 1;
	return 0;
}

SEC("syscall")
int bad_loaded_where_programs_sleep(void *ctx)
{
	struct kept *kept = find();
	struct count *count, *mine;

	if (!kept)
		return 0;
	count = kept->count;
	if (!count)
		return 0;
	mine = bpf_this_cpu_ptr(count);
	return mine->packets & 1;
}
