/* A struct_ops program that may sleep. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

SEC("struct_ops.s/third")
int BPF_PROG(third, struct bpf_dummy_ops_state *state)
{
	return 3;
}

SEC("struct_ops/first")
int BPF_PROG(first, struct bpf_dummy_ops_state *state)
{
	return 1;
}

SEC(".struct_ops")
struct bpf_dummy_ops dummy = {
	.test_1 = (void *)first,
	.test_sleepable = (void *)third,
};

char LICENSE[] SEC("license") = "GPL";
