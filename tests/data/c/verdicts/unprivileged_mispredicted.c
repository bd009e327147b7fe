/* Loaded without CAP_PERFMON: ways that are never gone are explored, up to a barrier. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

SEC("socket")
int ok_behind_a_barrier(struct __sk_buff *skb)
{
	asm volatile("r0 = 0\nif r0 == 0 goto +1\nr0 = *(u64 *)(r0 + 0)" ::: "r0");
	return 0;
}

SEC("socket")
int bad_it_is_gone(struct __sk_buff *skb)
{
	asm volatile("r0 = 0\nif r0 != 0 goto +1\nr0 = *(u64 *)(r0 + 0)" ::: "r0");
	return 0;
}

SEC("socket")
int bad_a_loop_gone_on_with(struct __sk_buff *skb)
{
	u64 sum = 0;

	/* Mispredicted, the counter is any number: the loop comes back with nothing changed. */
	asm volatile("r1 = 0\n%[sum] += r1\nr1 += 1\nif r1 < 8 goto -3"
		     : [sum] "+r"(sum) :: "r1");
	return sum;
}

SEC("socket")
int ok_a_loop_that_stores(struct __sk_buff *skb)
{
	u64 sum = 0;

	/* Each store has a barrier behind it, where the ways that are never gone end. */
	asm volatile("r1 = 0\n*(u64 *)(r10 - 8) = r1\n%[sum] += r1\nr1 += 1\nif r1 < 200 goto -4"
		     : [sum] "+r"(sum) :: "r1");
	return sum;
}

SEC("socket")
int bad_a_loop_never_entered(struct __sk_buff *skb)
{
	asm volatile("r0 = 0\nif r0 == 0 goto +1\ngoto -1" ::: "r0");
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
