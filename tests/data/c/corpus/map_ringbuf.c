/* A ring buffer: reserved, discarded, copied into, asked for its state. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct event {
	__u64 at;
	__u32 length;
	char name[16];
};

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 64 * 1024);
} events SEC(".maps");

/* Rounded up to whole pages, a power of two of them. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 5000);
} small SEC(".maps");

const volatile __u32 most_waiting = 32768;

SEC("cgroup_skb/egress")
int report(struct __sk_buff *skb)
{
	struct event *event, other = {};

	if (bpf_ringbuf_query(&events, BPF_RB_AVAIL_DATA) > most_waiting)
		return 1;
	event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);
	if (!event)
		return 1;
	event->at = bpf_ktime_get_ns();
	event->length = skb->len;
	if (event->length > 1500)
		bpf_ringbuf_discard(event, BPF_RB_NO_WAKEUP);
	else
		bpf_ringbuf_submit(event, 0);
	bpf_ringbuf_output(&small, &other, sizeof(other), BPF_RB_FORCE_WAKEUP);
	return 1;
}

char LICENSE[] SEC("license") = "GPL";
