/* A struct of our own with the name of the kernel's, its members in another order. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

SEC("struct_ops/first")
int BPF_PROG(first, struct bpf_dummy_ops_state *state)
{
	int value = 0xbeeb;

	if (state) {
		value = state->val;
		state->val = 5;
	}
	return value;
}

SEC("struct_ops/second")
int BPF_PROG(second, struct bpf_dummy_ops_state *state, int a, unsigned short b, char c,
	     unsigned long d)
{
	return a + b + c + d;
}

SEC("struct_ops/third")
int BPF_PROG(third, struct bpf_dummy_ops_state *state)
{
	return 0;
}

SEC(".struct_ops")
struct bpf_dummy_ops dummy = {
	.test_2 = (void *)second,
	.test_1 = (void *)first,
	.test_sleepable = (void *)third,
};

char LICENSE[] SEC("license") = "GPL";
