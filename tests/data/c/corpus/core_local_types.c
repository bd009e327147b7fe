/* Structs of our own in place of vmlinux.h: only what is used, relocated by name. */
#include <linux/bpf.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#define relocated __attribute__((preserve_access_index))

struct list_head {
	struct list_head *next;
} relocated;

struct task_struct {
	char comm[16];
	int tgid, pid;
	struct task_struct *real_parent;
	struct list_head children;
	unsigned int flags;
} relocated;

struct sk_buff {
	unsigned int len;
	unsigned char *head;
	unsigned short network_header;
} relocated;

__u64 sum;

SEC("tp_btf/kfree_skb")
int on_free(__u64 *ctx)
{
	struct sk_buff *skb = (void *)ctx[0];

	sum += skb->len + skb->network_header;
	return skb->head == 0;
}

SEC("tp_btf/sched_wakeup")
int on_wakeup(__u64 *ctx)
{
	struct task_struct *task = (void *)ctx[0];

	sum += task->pid - task->tgid;
	return task->real_parent->flags & 1 && task->comm[0] == 'k' && task->children.next != 0;
}

char LICENSE[] SEC("license") = "GPL";
