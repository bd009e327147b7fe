/* Arguments of struct_ops that may be NULL, and members that sleep. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

SEC("struct_ops/ok_checked")
int BPF_PROG(ok_checked, struct bpf_dummy_ops_state *state)
{
	if (!state)
		return 1;
	state->val = 7;
	return state->val;
}

SEC("struct_ops/ok_numbers")
int BPF_PROG(ok_numbers, struct bpf_dummy_ops_state *state, int a, unsigned short b, char c,
	     unsigned long d)
{
	state->val = a;
	return b + c + d;
}

SEC("struct_ops.s/ok_sleeps")
int BPF_PROG(ok_sleeps, struct bpf_dummy_ops_state *state)
{
	return state->val;
}

SEC(".struct_ops")
struct bpf_dummy_ops ops = {
	.test_1 = (void *)ok_checked,
	.test_2 = (void *)ok_numbers,
	.test_sleepable = (void *)ok_sleeps,
};

SEC("struct_ops/bad_unchecked")
int BPF_PROG(bad_unchecked, struct bpf_dummy_ops_state *state)
{
	return state->val;
}

SEC("struct_ops/bad_large")
int BPF_PROG(bad_large, struct bpf_dummy_ops_state *state)
{
	*(u64 *)state = 1;
	return 0;
}

SEC("struct_ops.s/bad_sleeps")
int BPF_PROG(bad_sleeps, struct bpf_dummy_ops_state *state)
{
	return 0;
}

SEC(".struct_ops")
struct bpf_dummy_ops others = {
	.test_1 = (void *)bad_unchecked,
	.test_2 = (void *)bad_large,
};

SEC(".struct_ops")
struct bpf_dummy_ops sleeping = {
	.test_1 = (void *)bad_sleeps,
};

char LICENSE[] SEC("license") = "GPL";
