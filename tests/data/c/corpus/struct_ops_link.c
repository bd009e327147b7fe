/* As struct_ops_tcp, but registered by a link, and shorter than the kernel's struct. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

struct tcp_congestion_ops___partial {
	char name[16];
	__u32 (*ssthresh)(struct sock *sk);
	__u32 (*undo_cwnd)(struct sock *sk);
	void (*cong_avoid)(struct sock *sk, __u32 ack, __u32 acked);
	void (*a_member_of_the_future)(void);
};

SEC("struct_ops")
__u32 BPF_PROG(linked_ssthresh, struct sock *sk)
{
	return 10;
}

SEC("struct_ops")
__u32 BPF_PROG(linked_undo, struct sock *sk)
{
	return 20;
}

SEC("struct_ops")
void BPF_PROG(linked_avoid, struct sock *sk, __u32 ack, __u32 acked)
{
}

SEC(".struct_ops.link")
struct tcp_congestion_ops___partial linked_cc = {
	.ssthresh = (void *)linked_ssthresh,
	.undo_cwnd = (void *)linked_undo,
	.cong_avoid = (void *)linked_avoid,
	.name = "linked_cc",
};

char LICENSE[] SEC("license") = "GPL";
