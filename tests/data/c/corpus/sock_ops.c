/* TCP's events: windows set, established sockets put into a map. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct tuple {
	__u32 remote, local;
	__u32 remote_port, local_port;
};

struct {
	__uint(type, BPF_MAP_TYPE_SOCKHASH);
	__uint(max_entries, 1024);
	__type(key, struct tuple);
	__type(value, __u64);
} established SEC(".maps");

SEC("sockops")
int on_event(struct bpf_sock_ops *ops)
{
	struct tuple key;
	int window = 20;

	switch (ops->op) {
	case BPF_SOCK_OPS_TCP_CONNECT_CB:
		bpf_sock_ops_cb_flags_set(ops, BPF_SOCK_OPS_RTT_CB_FLAG);
		break;
	case BPF_SOCK_OPS_RWND_INIT:
		ops->reply = window;
		break;
	case BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB:
	case BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB:
		key.remote = ops->remote_ip4;
		key.local = ops->local_ip4;
		key.remote_port = ops->remote_port;
		key.local_port = ops->local_port;
		bpf_sock_hash_update(ops, &established, &key, BPF_ANY);
		break;
	}
	return 1;
}

char LICENSE[] SEC("license") = "GPL";
