/* Values under a lock, in maps and in global data. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct account {
	struct bpf_spin_lock lock;
	__s64 balance;
	__u32 changes;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 8);
	__type(key, __u32);
	__type(value, struct account);
} accounts SEC(".maps");

#define private(name) SEC(".data." #name) __attribute__((aligned(8)))

private(guard) struct bpf_spin_lock lock;
private(guard) __u64 guarded;

SEC("tc")
int pay(struct __sk_buff *skb)
{
	__u32 key = 0;
	struct account *account = bpf_map_lookup_elem(&accounts, &key);

	if (!account)
		return 0;
	bpf_spin_lock(&account->lock);
	account->balance -= skb->len;
	account->changes++;
	bpf_spin_unlock(&account->lock);
	return 0;
}

SEC("tc")
int count(struct __sk_buff *skb)
{
	bpf_spin_lock(&lock);
	guarded++;
	bpf_spin_unlock(&lock);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
