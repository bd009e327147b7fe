// Timers in map values: their helpers' arguments, and the functions that the kernel calls later.
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

#define CLOCK_MONOTONIC 1

char _license[] SEC("license") = "GPL";

struct element {
	__u64 fired;
	struct bpf_timer timer;
	__u64 last;
};

struct table {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2);
	__type(key, int);
	__type(value, struct element);
};

struct table timers SEC(".maps"), others SEC(".maps");

static int tick(void *map, int *key, struct element *element)
{
	element->fired += *key;
	element->last = bpf_ktime_get_ns();
	return 0;
}

static int tick_again(void *map, int *key, struct element *element)
{
	element->fired++;
	bpf_timer_start(&element->timer, 1000000, 0);
	return 0;
}

static int tick_other(void *map, int *key, struct element *element)
{
	bpf_timer_set_callback(&element->timer, tick);
	return 0;
}

static int tick_itself(void *map, int *key, struct element *element)
{
	int other = *key + 1;
	struct element *next = bpf_map_lookup_elem(map, &other);

	if (next)
		bpf_timer_set_callback(&next->timer, tick_itself);
	bpf_timer_set_callback(&element->timer, tick_itself);
	return 0;
}

static int tick_one(void *map, int *key, struct element *element)
{
	return 1;
}

static int tick_beyond(void *map, int *key, struct element *element)
{
	__u64 *words = (void *)element;

	return words[4];
}

static int tick_sleeps(void *map, int *key, struct element *element)
{
	char bytes[8];

	bpf_copy_from_user(bytes, sizeof(bytes), (void *)1);
	return 0;
}

static int tick_key(void *map, int *key, struct element *element)
{
	*key = 1;
	return 0;
}

#define START(callback)                                                     \
	int key = 0;                                                        \
	struct element *element = bpf_map_lookup_elem(&timers, &key);       \
                                                                            \
	if (!element)                                                       \
		return 0;                                                   \
	bpf_timer_init(&element->timer, &timers, CLOCK_MONOTONIC);          \
	bpf_timer_set_callback(&element->timer, callback);                  \
	bpf_timer_start(&element->timer, 1000, 0);                          \
	return 0

SEC("tc")
int ok_tick(struct __sk_buff *skb)
{
	START(tick);
}

SEC("tc")
int ok_tick_again(struct __sk_buff *skb)
{
	START(tick_again);
}

SEC("tc")
int ok_another_callback(struct __sk_buff *skb)
{
	START(tick_other);
}

SEC("tc")
int ok_callback_sets_itself(struct __sk_buff *skb)
{
	START(tick_itself);
}

SEC("tc")
int bad_callback_returns_one(struct __sk_buff *skb)
{
	START(tick_one);
}

SEC("tc")
int bad_callback_reads_beyond(struct __sk_buff *skb)
{
	START(tick_beyond);
}

SEC("tc")
int bad_callback_writes_key(struct __sk_buff *skb)
{
	START(tick_key);
}

SEC("syscall")
int bad_callback_sleeps(struct __sk_buff *skb)
{
	START(tick_sleeps);
}

SEC("syscall")
int ok_program_sleeps(void *ctx)
{
	START(tick);
}

SEC("tc")
int ok_cancel(struct __sk_buff *skb)
{
	int key = 1;
	struct element *element = bpf_map_lookup_elem(&timers, &key);

	return element ? bpf_timer_cancel(&element->timer) : 0;
}

SEC("tc")
int bad_other_map(struct __sk_buff *skb)
{
	int key = 0;
	struct element *element = bpf_map_lookup_elem(&timers, &key);

	return element ? bpf_timer_init(&element->timer, &others, CLOCK_MONOTONIC) : 0;
}

SEC("tc")
int bad_not_the_timer(struct __sk_buff *skb)
{
	int key = 0;
	struct element *element = bpf_map_lookup_elem(&timers, &key);

	return element ? bpf_timer_init((void *)element, &timers, CLOCK_MONOTONIC) : 0;
}

SEC("tc")
int bad_may_be_null(struct __sk_buff *skb)
{
	int key = skb->len;
	struct element *element = bpf_map_lookup_elem(&timers, &key);

	return bpf_timer_cancel(&element->timer);
}

SEC("tc")
int bad_timer_on_stack(struct __sk_buff *skb)
{
	struct bpf_timer timer = {};

	return bpf_timer_cancel(&timer);
}

SEC("tc")
int bad_timer_read(struct __sk_buff *skb)
{
	int key = 0;
	struct element *element = bpf_map_lookup_elem(&timers, &key);

	return element ? *(volatile __u64 *)&element->timer & 1 : 0;
}

SEC("kprobe")
int bad_on_probe(struct pt_regs *ctx)
{
	int key = 0;
	struct element *element = bpf_map_lookup_elem(&timers, &key);

	return element ? bpf_timer_cancel(&element->timer) : 0;
}
