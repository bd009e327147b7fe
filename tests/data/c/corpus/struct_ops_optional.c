/* Two shapes of one struct for two kernels: the second waits until somebody asks for it. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

SEC("struct_ops/first")
int BPF_PROG(first, struct bpf_dummy_ops_state *state)
{
	return 1;
}

SEC("struct_ops/second")
int BPF_PROG(second, struct bpf_dummy_ops_state *state)
{
	return 2;
}

SEC("?struct_ops/third")
int BPF_PROG(third, struct bpf_dummy_ops_state *state)
{
	return 3;
}

SEC(".struct_ops")
struct bpf_dummy_ops made = {
	.test_1 = (void *)first,
	.test_sleepable = (void *)third,
};

struct bpf_dummy_ops___future {
	int (*a_function_of_the_future)(void);
};

SEC("?.struct_ops.link")
struct bpf_dummy_ops___future waiting = {
	.a_function_of_the_future = (void *)second,
};

char LICENSE[] SEC("license") = "GPL";
