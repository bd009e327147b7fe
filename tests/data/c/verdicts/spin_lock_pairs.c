// Spin locks: taken once, given back on every path.
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char _license[] SEC("license") = "GPL";

struct account {
	struct bpf_spin_lock lock;
	__u32 changes;
	__u64 balance;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 8);
	__type(key, __u32);
	__type(value, struct account);
} accounts SEC(".maps");

static struct account *find(__u32 key)
{
	return bpf_map_lookup_elem(&accounts, &key);
}

SEC("tc")
int ok_locked_once(struct __sk_buff *skb)
{
	struct account *account = find(0);

	if (!account)
		return 0;
	bpf_spin_lock(&account->lock);
	account->balance += skb->len;
	account->changes++;
	bpf_spin_unlock(&account->lock);
	return 0;
}

SEC("tc")
int ok_locked_twice_in_turn(struct __sk_buff *skb)
{
	struct account *account = find(0);

	if (!account)
		return 0;
	bpf_spin_lock(&account->lock);
	account->balance++;
	bpf_spin_unlock(&account->lock);
	bpf_spin_lock(&account->lock);
	account->balance--;
	bpf_spin_unlock(&account->lock);
	return 0;
}

SEC("tc")
int bad_never_unlocked(struct __sk_buff *skb)
{
	struct account *account = find(0);

	if (!account)
		return 0;
	bpf_spin_lock(&account->lock);
	account->balance++;
	return 0;
}

SEC("tc")
int bad_unlocked_on_one_path(struct __sk_buff *skb)
{
	struct account *account = find(0);

	if (!account)
		return 0;
	bpf_spin_lock(&account->lock);
	if (account->balance)
		bpf_spin_unlock(&account->lock);
	return 0;
}

SEC("tc")
int bad_locked_twice(struct __sk_buff *skb)
{
	struct account *account = find(0);

	if (!account)
		return 0;
	bpf_spin_lock(&account->lock);
	bpf_spin_lock(&account->lock);
	bpf_spin_unlock(&account->lock);
	bpf_spin_unlock(&account->lock);
	return 0;
}

SEC("tc")
int bad_unlocked_first(struct __sk_buff *skb)
{
	struct account *account = find(0);

	if (!account)
		return 0;
	bpf_spin_unlock(&account->lock);
	return 0;
}

SEC("tc")
int bad_unlocked_twice(struct __sk_buff *skb)
{
	struct account *account = find(0);

	if (!account)
		return 0;
	bpf_spin_lock(&account->lock);
	bpf_spin_unlock(&account->lock);
	bpf_spin_unlock(&account->lock);
	return 0;
}
