/* Functions that take structs by value, in one register or two. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <bpf/bpf_core_read.h>

struct pair {
	long a;
	long b;
};

struct small {
	short a;
	char b;
};

long sums[4];
SEC("fentry/takes_structs")
int BPF_PROG2(takes_structs, struct pair, two, int, number, struct small, few, void *, pointer)
{
	sums[0] = two.a + two.b;
	sums[1] = number + few.a + few.b;
	sums[2] = (long)pointer;
	return 0;
}

SEC("fexit/returns")
int BPF_PROG2(returns, int, number, struct pair, two, int, result)
{
	sums[3] = number * two.b - result;
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
