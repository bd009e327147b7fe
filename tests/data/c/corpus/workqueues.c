/* Work put off: a callback that may sleep, in an element of a map. */
#define BPF_NO_KFUNC_PROTOTYPES
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

extern int bpf_wq_init(struct bpf_wq *wq, void *p__map, unsigned int flags) __ksym;
extern int bpf_wq_start(struct bpf_wq *wq, unsigned int flags) __ksym;
extern int bpf_wq_set_callback_impl(struct bpf_wq *wq,
				    int (*callback)(void *map, int *key, void *value),
				    unsigned int flags__k, void *aux__ign) __ksym;

struct element {
	int done;
	struct bpf_wq work;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 10);
	__type(key, int);
	__type(value, struct element);
} elements SEC(".maps");

static int later(void *map, int *key, void *value)
{
	struct element *element = value;

	element->done = *key + 1;
	return 0;
}

SEC("tc")
int start(struct __sk_buff *skb)
{
	struct element fresh = {}, *element;
	int key = 3;

	bpf_map_update_elem(&elements, &key, &fresh, BPF_ANY);
	element = bpf_map_lookup_elem(&elements, &key);
	if (!element)
		return 1;
	if (bpf_wq_init(&element->work, &elements, 0))
		return 2;
	if (bpf_wq_set_callback_impl(&element->work, later, 0, 0))
		return 3;
	return bpf_wq_start(&element->work, 0);
}

char LICENSE[] SEC("license") = "GPL";
