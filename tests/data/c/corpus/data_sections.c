/* Data in sections of its own: named parts, strings, static variables only. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

__u64 hits SEC(".data.hot") = 1;
__u32 misses SEC(".data.hot");
__u64 table[16];
const volatile struct {
	__u16 port;
	char name[10];
} config SEC(".rodata.config") = {443, "tls"};
const volatile int level = 2;
static volatile int calls = 3;
static volatile char hidden[40];

SEC("xdp")
int use(struct xdp_md *ctx)
{
	__u32 queue = ctx->rx_queue_index;

	calls++;
	hits += level;
	hidden[queue & 31] = config.name[queue & 7];
	table[queue & 15] = hits;
	if (queue < 4)
		bpf_printk("queue %d", queue);
	else
		misses += config.port;
	return XDP_PASS;
}

char LICENSE[] SEC("license") = "GPL";
