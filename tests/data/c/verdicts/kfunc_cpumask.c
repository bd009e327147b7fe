/* CPU masks: one that the program holds may stand where any mask is read. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

SEC("syscall")
int ok_own_mask(void *ctx)
{
	struct bpf_cpumask *mask = bpf_cpumask_create();
	int first;

	if (!mask)
		return 0;
	bpf_cpumask_set_cpu(1, mask);
	first = bpf_cpumask_first((const struct cpumask *)mask);
	bpf_cpumask_release(mask);
	return first;
}

SEC("syscall")
int bad_maybe_null(void *ctx)
{
	struct bpf_cpumask *mask = bpf_cpumask_create();

	bpf_cpumask_set_cpu(1, mask);
	if (mask)
		bpf_cpumask_release(mask);
	return 0;
}

SEC("syscall")
int bad_used_after_release(void *ctx)
{
	struct bpf_cpumask *mask = bpf_cpumask_create();

	if (!mask)
		return 0;
	bpf_cpumask_release(mask);
	bpf_cpumask_clear(mask);
	return 0;
}

SEC("syscall")
int ok_on_the_stack(void *ctx)
{
	struct cpumask mask = {};

	return bpf_cpumask_first(&mask);
}

SEC("syscall")
int bad_held_in_a_loop(void *ctx)
{
	struct bpf_iter_num it;

	bpf_iter_num_new(&it, 0, 4);
	while (bpf_iter_num_next(&it)) {
		if (!bpf_cpumask_create())
			break;
	}
	bpf_iter_num_destroy(&it);
	return 0;
}

SEC("tc")
int bad_caller(struct __sk_buff *skb)
{
	struct bpf_cpumask *mask = bpf_cpumask_create();

	if (mask)
		bpf_cpumask_release(mask);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
