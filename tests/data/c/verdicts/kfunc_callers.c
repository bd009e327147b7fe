/* Who may call: by program type, attach type and sleep. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

SEC("tc")
int bad_must_sleep(struct __sk_buff *skb)
{
	char text[8];

	bpf_copy_from_user_str(text, sizeof(text), (void *)4096, 0);
	return 0;
}

SEC("syscall")
int ok_sleeps(void *ctx)
{
	char text[8];

	bpf_copy_from_user_str(text, sizeof(text), (void *)4096, 0);
	return 0;
}

SEC("syscall")
int ok_sleeping_iterator(void *ctx)
{
	struct bpf_iter_kmem_cache it;
	int count = 0;

	bpf_iter_kmem_cache_new(&it);
	while (bpf_iter_kmem_cache_next(&it))
		count++;
	bpf_iter_kmem_cache_destroy(&it);
	return count;
}

SEC("kprobe/do_nanosleep")
int bad_sleeping_iterator(void *ctx)
{
	struct bpf_iter_kmem_cache it;

	bpf_iter_kmem_cache_new(&it);
	bpf_iter_kmem_cache_destroy(&it);
	return 0;
}

SEC("xdp")
int bad_for_one_device(struct xdp_md *ctx)
{
	u64 when;

	bpf_xdp_metadata_rx_timestamp(ctx, &when);
	return XDP_PASS;
}

SEC("tc")
int bad_for_packets_of_drivers(struct __sk_buff *skb)
{
	return bpf_xdp_pull_data((void *)skb, 64);
}

SEC("xdp")
int bad_packet_pointers_end(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;

	if (data + 14 > end)
		return XDP_PASS;
	bpf_xdp_pull_data(ctx, 64);
	return *(volatile unsigned char *)data;
}

SEC("xdp")
int ok_packet_pointers_again(struct xdp_md *ctx)
{
	void *data, *end;

	bpf_xdp_pull_data(ctx, 64);
	data = (void *)(long)ctx->data;
	end = (void *)(long)ctx->data_end;
	if (data + 14 > end)
		return XDP_PASS;
	return *(volatile unsigned char *)data;
}

char LICENSE[] SEC("license") = "GPL";
