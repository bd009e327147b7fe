#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char _license[] SEC("license") = "GPL";

SEC("tc")
int bad(struct __sk_buff *skb)
{
	char room[64] = {};
	__u32 size = skb->len;

	return bpf_skb_load_bytes(skb, 0, room, size) < 0 ? 0 : room[0];
}

SEC("tc")
int good(struct __sk_buff *skb)
{
	char room[64] = {};
	__u32 size = skb->len;

	size &= sizeof(room) - 1;
	if (size == 0)
		return 0;
	return bpf_skb_load_bytes(skb, 0, room, size) < 0 ? 0 : room[0];
}
