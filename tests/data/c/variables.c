/* Variables of every kind, names that Python keeps for itself, a union without a name. */
#include "bpf.h"

struct counter {
	__u64 packets;
	union {
		__u64 bytes;
		__u32 half;
	};
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 64);
	__type(key, __u32);
	__type(value, struct counter);
} counters SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, __u32);
} spread SEC(".maps");

enum mode { OFF, ON } mode = OFF;
int class = 5;
int seen;
int list;
const volatile int limit = 7;
const volatile char name[8] = "abc";
struct counter total;

SEC("xdp") int count(struct xdp_md *ctx)
{
	__u32 key = class, one = 1;
	struct counter fresh = {limit, {2}};
	bpf_map_update_elem(&counters, &key, &fresh, 0);
	bpf_map_update_elem(&spread, &key, &one, 0);
	seen++;
	total.packets += 3;
	list = name[0];
	return mode == ON ? XDP_PASS : XDP_DROP;
}

char LICENSE[] SEC("license") = "GPL";
