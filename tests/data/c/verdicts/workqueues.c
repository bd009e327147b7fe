// Work queues in map values: functions that are called later, and may sleep.
#define BPF_NO_KFUNC_PROTOTYPES
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char _license[] SEC("license") = "GPL";

extern int bpf_wq_init(struct bpf_wq *wq, void *p__map, unsigned int flags) __ksym;
extern int bpf_wq_start(struct bpf_wq *wq, unsigned int flags) __ksym;
extern int bpf_wq_set_callback_impl(struct bpf_wq *wq,
				    int (*callback)(void *map, int *key, void *value),
				    unsigned int flags__k, void *aux__ign) __ksym;

struct element {
	__u64 done;
	struct bpf_wq work;
};

struct table {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 10);
	__type(key, int);
	__type(value, struct element);
};

struct table elements SEC(".maps"), others SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 2);
	__type(key, int);
	__array(values, struct table);
} tables SEC(".maps") = { .values = { &elements, &others } };

static int later(void *map, int *key, void *value)
{
	struct element *element = value;

	element->done = *key + 1;
	return 0;
}

static int sleeps(void *map, int *key, void *value)
{
	char bytes[8];

	bpf_copy_from_user(bytes, sizeof(bytes), (void *)1);
	return 0;
}

static int again(void *map, int *key, void *value)
{
	struct element *element = value;

	bpf_wq_set_callback_impl(&element->work, later, 0, 0);
	return bpf_wq_start(&element->work, 0) ? 0 : 0;
}

static int one(void *map, int *key, void *value)
{
	return 1;
}

static int touches(void *map, int *key, void *value)
{
	struct element *element = value;

	*(volatile __u64 *)&element->work = 0;
	return 0;
}

#define START(function)                                                  \
	int key = 3;                                                     \
	struct element *element = bpf_map_lookup_elem(&elements, &key);  \
                                                                         \
	if (!element)                                                    \
		return 0;                                                \
	if (bpf_wq_init(&element->work, &elements, 0))                   \
		return 0;                                                \
	bpf_wq_set_callback_impl(&element->work, function, 0, 0);        \
	bpf_wq_start(&element->work, 0);                                 \
	return 0

SEC("tc")
int ok_later(struct __sk_buff *skb)
{
	START(later);
}

SEC("tc")
int ok_sleeps(struct __sk_buff *skb)
{
	START(sleeps);
}

SEC("tc")
int ok_again(struct __sk_buff *skb)
{
	START(again);
}

SEC("tc")
int bad_returns_one(struct __sk_buff *skb)
{
	START(one);
}

SEC("tc")
int bad_touches_the_queue(struct __sk_buff *skb)
{
	START(touches);
}

SEC("tc")
int bad_sleeps_itself(struct __sk_buff *skb)
{
	char bytes[8];

	bpf_copy_from_user(bytes, sizeof(bytes), (void *)1);
	return 0;
}

SEC("tc")
int bad_other_map(struct __sk_buff *skb)
{
	int key = 3;
	struct element *element = bpf_map_lookup_elem(&elements, &key);

	return element ? bpf_wq_init(&element->work, &others, 0) : 0;
}

SEC("tc")
int bad_other_inner_map(struct __sk_buff *skb)
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
	return element ? bpf_wq_init(&element->work, outer, 0) : 0;
}

SEC("tc")
int ok_inner_map(struct __sk_buff *skb)
{
	int key = 0;
	void *inner = bpf_map_lookup_elem(&tables, &key);
	struct element *element;

	if (!inner)
		return 0;
	element = bpf_map_lookup_elem(inner, &key);
	return element ? bpf_wq_init(&element->work, inner, 0) : 0;
}

SEC("tc")
int bad_not_the_queue(struct __sk_buff *skb)
{
	int key = 3;
	struct element *element = bpf_map_lookup_elem(&elements, &key);

	return element ? bpf_wq_start((void *)element, 0) : 0;
}

SEC("tc")
int bad_on_stack(struct __sk_buff *skb)
{
	struct bpf_wq work = {};

	return bpf_wq_start(&work, 0);
}

SEC("tc")
int bad_may_be_null(struct __sk_buff *skb)
{
	int key = skb->len;
	struct element *element = bpf_map_lookup_elem(&elements, &key);

	return bpf_wq_start(&element->work, 0);
}
