/* Loaded without CAP_PERFMON: helpers that see the kernel are not there. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

SEC("tc")
int ok_time(struct __sk_buff *skb)
{
	return bpf_ktime_get_ns() & 1;
}


static long nothing(u64 index, void *context)
{
	return 0;
}

SEC("tc")
int ok_calls_back(struct __sk_buff *skb)
{
	bpf_loop(4, nothing, (void *)0, 0);
	return 0;
}

SEC("tc")
int bad_prints(struct __sk_buff *skb)
{
	bpf_printk("%d", skb->len);
	return 0;
}

SEC("tc")
int bad_reads_the_kernel(struct __sk_buff *skb)
{
	u64 bytes = 0;

	bpf_probe_read_kernel(&bytes, sizeof(bytes), (void *)0);
	return 0;
}

SEC("tc")
int bad_current_task(struct __sk_buff *skb)
{
	return bpf_get_current_task() & 1;
}

char LICENSE[] SEC("license") = "GPL";
