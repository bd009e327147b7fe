/* Ways to repeat, to print, to call on; locks and timers in maps of maps. */
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>

#ifdef LIBBPF_1_1
#define __arg_ctx
#endif

struct inner {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, __u64);
} inner_a SEC(".maps"), inner_b SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 2);
	__type(key, __u32);
	__array(values, struct inner);
} outer SEC(".maps") = {
	.values = { &inner_a, &inner_b },
};

struct locked {
	struct bpf_spin_lock lock;
	__u64 total;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 64);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u32);
	__type(value, struct locked);
} sums SEC(".maps");

int next_program(struct __sk_buff *skb);

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 2);
	__uint(key_size, sizeof(__u32));
	__array(values, int(void *));
} programs SEC(".maps") = {
	.values = { [1] = (void *)&next_program },
};

static int add_one(__u32 index, void *data)
{
	*(__u64 *)data += index;
	return 0;
}

__noinline int checksum(struct __sk_buff *skb __arg_ctx, int rounds)
{
	return skb->len * rounds;
}

SEC("classifier")
int loops(struct __sk_buff *skb)
{
	__u64 sum = 0;
	__u32 key = 1;
	struct locked *value;
	void *inner;

	bpf_loop(100, add_one, &sum, 0);
	for (int i = 0; i < 10; i++) {
		barrier_var(sum);
		sum += bpf_ntohl(skb->cb[0]);
	}
	inner = bpf_map_lookup_elem(&outer, &key);
	if (inner) {
		__u64 *found = bpf_map_lookup_elem(inner, &key);
		if (found)
			__sync_fetch_and_add(found, sum);
	}
	value = bpf_map_lookup_elem(&sums, &key);
	if (value) {
		int more = checksum(skb, 3);

		bpf_spin_lock(&value->lock);
		value->total += more;
		bpf_spin_unlock(&value->lock);
	}
	bpf_printk("%d %d %d %d %llx", key, skb->len, 3, 4, sum);
	bpf_tail_call_static(skb, &programs, 1);
	return TC_ACT_SHOT;
}

SEC("tc")
int next_program(struct __sk_buff *skb)
{
	char text[32];

	BPF_SNPRINTF(text, sizeof(text), "%d-%s", skb->ifindex, "x");
	return text[0] ? TC_ACT_OK : TC_ACT_PIPE;
}

char LICENSE[] SEC("license") = "GPL";
