// Where global functions are called: those that may sleep only where the program may.
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char _license[] SEC("license") = "GPL";


__noinline int copies(void *from __arg_untrusted, unsigned int how)
{
	int value = 0;

	if (how > 3)
		bpf_copy_from_user(&value, sizeof(value), from);
	return value;
}

__noinline int copies_indirectly(void *from __arg_untrusted)
{
	return copies(from, 1) + 1;
}

__noinline int stays_awake(unsigned int how)
{
	return how + 1;
}

SEC("uprobe.s")
int ok_may_sleep(struct pt_regs *ctx)
{
	return copies_indirectly((void *)8) & 1;
}

SEC("uprobe")
int bad_may_sleep(struct pt_regs *ctx)
{
	return copies((void *)8, 1) & 1;
}

SEC("uprobe")
int bad_may_sleep_indirectly(struct pt_regs *ctx)
{
	return copies_indirectly((void *)8) & 1;
}

SEC("uprobe")
int ok_stays_awake(struct pt_regs *ctx)
{
	return stays_awake(3) & 1;
}
