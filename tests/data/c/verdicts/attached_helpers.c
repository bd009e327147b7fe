/* Helpers that depend on what the program attaches to. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

SEC("tp_btf/task_newtask")
int BPF_PROG(bad_path_in_probe, struct task_struct *task)
{
	char path[16];

	return bpf_d_path(&task->mm->exe_file->f_path, path, sizeof(path));
}

SEC("iter/task")
int ok_path(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	char path[16];

	if (task)
		bpf_d_path(&task->mm->exe_file->f_path, path, sizeof(path));
	return 0;
}

SEC("iter/tcp")
int ok_option(struct bpf_iter__tcp *ctx)
{
	struct sock_common *sk = ctx->sk_common;
	int value = 1;

	if (sk)
		bpf_setsockopt(sk, 1, 2, &value, sizeof(value));
	return 0;
}

SEC("iter/udp")
int bad_option(struct bpf_iter__udp *ctx)
{
	struct udp_sock *sk = ctx->udp_sk;
	int value = 1;

	if (sk)
		bpf_setsockopt(sk, 1, 2, &value, sizeof(value));
	return 0;
}

SEC("struct_ops/bad_any_helper")
int BPF_PROG(bad_any_helper, struct bpf_dummy_ops_state *state)
{
	return bpf_get_prandom_u32();
}

SEC("struct_ops/ok_acknowledge")
void BPF_PROG(ok_acknowledge, struct sock *sk)
{
	bpf_tcp_send_ack(sk, 1);
}

SEC(".struct_ops")
struct bpf_dummy_ops dummy = {
	.test_1 = (void *)bad_any_helper,
};

SEC(".struct_ops")
struct tcp_congestion_ops tcp = {
	.init = (void *)ok_acknowledge,
	.name = "beebox_helpers",
};

char LICENSE[] SEC("license") = "GPL";
