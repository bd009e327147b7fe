// Timers in maps of maps: a timer is bound to the inner map that its value is in.
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char _license[] SEC("license") = "GPL";

struct element {
	struct bpf_timer timer;
};

struct table {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 2);
	__type(key, int);
	__type(value, struct element);
};

struct table one SEC(".maps"), two SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 2);
	__type(key, int);
	__array(values, struct table);
} tables SEC(".maps") = { .values = { &one, &two } };

SEC("tc")
int ok_its_own_map(struct __sk_buff *skb)
{
	int key = 0;
	void *inner = bpf_map_lookup_elem(&tables, &key);
	struct element *element;

	if (!inner)
		return 0;
	element = bpf_map_lookup_elem(inner, &key);
	if (element)
		bpf_timer_init(&element->timer, inner, 1);
	return 0;
}

SEC("tc")
int bad_another_inner_map(struct __sk_buff *skb)
{
	int key = 0, other = 1;
	void *inner = bpf_map_lookup_elem(&tables, &key), *outer;
	struct element *element;

	if (!inner)
		return 0;
	outer = bpf_map_lookup_elem(&tables, &other);
	if (!outer)
		return 0;
	element = bpf_map_lookup_elem(inner, &key);
	if (element)
		bpf_timer_init(&element->timer, outer, 1);
	return 0;
}

SEC("tc")
int bad_a_map_itself(struct __sk_buff *skb)
{
	int key = 0;
	void *inner = bpf_map_lookup_elem(&tables, &key);
	struct element *element;

	if (!inner)
		return 0;
	element = bpf_map_lookup_elem(inner, &key);
	if (element)
		bpf_timer_init(&element->timer, &one, 1);
	return 0;
}
