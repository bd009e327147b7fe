/* Streams and messages passed from socket to socket. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_SOCKMAP);
	__uint(max_entries, 20);
	__uint(key_size, sizeof(int));
	__uint(value_size, sizeof(int));
} sockets SEC(".maps");

SEC("sk_skb/stream_parser")
int parse(struct __sk_buff *skb)
{
	return skb->len;
}

SEC("sk_skb/stream_verdict")
int verdict(struct __sk_buff *skb)
{
	return bpf_sk_redirect_map(skb, &sockets, skb->local_port & 7, 0);
}

SEC("sk_skb")
int any(struct __sk_buff *skb)
{
	return SK_PASS;
}

SEC("sk_msg")
int message(struct sk_msg_md *msg)
{
	void *data = msg->data, *end = msg->data_end;

	if (data + 4 > end)
		return SK_DROP;
	bpf_msg_apply_bytes(msg, 100);
	return bpf_msg_redirect_map(msg, &sockets, 1, BPF_F_INGRESS);
}

char LICENSE[] SEC("license") = "GPL";
