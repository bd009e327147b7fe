/* A timer in a map's value, started by a program, going on by itself. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#define CLOCK_MONOTONIC 1

struct element {
	int fired;
	struct bpf_timer timer;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, int);
	__type(value, struct element);
} timers SEC(".maps");

static int tick(void *map, int *key, struct element *element)
{
	element->fired++;
	bpf_timer_start(&element->timer, 1000000, 0);
	return 0;
}

SEC("tc")
int start(struct __sk_buff *skb)
{
	int key = 0;
	struct element *element = bpf_map_lookup_elem(&timers, &key);

	if (!element)
		return 0;
	bpf_timer_init(&element->timer, &timers, CLOCK_MONOTONIC);
	bpf_timer_set_callback(&element->timer, tick);
	return bpf_timer_start(&element->timer, 0, 0);
}

char LICENSE[] SEC("license") = "GPL";
