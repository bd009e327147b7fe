/* Loops by open-coded iterators and by may_goto; objects and lists of the program's own. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include "bpf_experimental.h"

int zero, sum;

struct own_node {
	struct bpf_list_node list;
	long value;
};

struct queue {
	struct bpf_spin_lock lock;
	struct bpf_list_head head __contains(own_node, list);
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, int);
	__type(value, struct queue);
} queues SEC(".maps");

SEC("tc")
int numbers(struct __sk_buff *skb)
{
	int i;

	bpf_for(i, 0, 10) sum += i;
	bpf_repeat(3) sum++;
	if (!bpf_ksym_exists(bpf_iter_num_new))
		return -1;
	return sum;
}

SEC("tc")
int may_go(struct __sk_buff *skb)
{
	for (int i = zero; i < 1000 && can_loop; i++)
		sum += i;
	for (;;) {
		sum++;
		cond_break;
	}
	return 0;
}

SEC("tc")
int lists(struct __sk_buff *skb)
{
	int key = 0;
	struct queue *queue = bpf_map_lookup_elem(&queues, &key);
	struct own_node *node;
	struct bpf_list_node *first;

	if (!queue)
		return 0;
	node = bpf_obj_new(typeof(*node));
	if (!node)
		return 0;
	node->value = skb->len;
	bpf_spin_lock(&queue->lock);
	bpf_list_push_back(&queue->head, &node->list);
	first = bpf_list_pop_front(&queue->head);
	bpf_spin_unlock(&queue->lock);
	if (first)
		bpf_obj_drop(container_of(first, struct own_node, list));
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
