/* Interrupts off and on again: the saved state lies on the stack and is restored in order. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

SEC("tc")
int ok_nested(struct __sk_buff *skb)
{
	unsigned long a, b;

	bpf_local_irq_save(&a);
	bpf_local_irq_save(&b);
	bpf_local_irq_restore(&b);
	bpf_local_irq_restore(&a);
	return 0;
}

SEC("tc")
int ok_used_again(struct __sk_buff *skb)
{
	unsigned long a;

	bpf_local_irq_save(&a);
	bpf_local_irq_restore(&a);
	bpf_local_irq_save(&a);
	bpf_local_irq_restore(&a);
	return 0;
}

SEC("tc")
int bad_out_of_order(struct __sk_buff *skb)
{
	unsigned long a, b;

	bpf_local_irq_save(&a);
	bpf_local_irq_save(&b);
	bpf_local_irq_restore(&a);
	bpf_local_irq_restore(&b);
	return 0;
}

SEC("tc")
int bad_not_restored(struct __sk_buff *skb)
{
	unsigned long a;

	bpf_local_irq_save(&a);
	return 0;
}

SEC("tc")
int bad_restored_twice(struct __sk_buff *skb)
{
	unsigned long a;

	bpf_local_irq_save(&a);
	bpf_local_irq_restore(&a);
	bpf_local_irq_restore(&a);
	return 0;
}

SEC("tc")
int bad_saved_twice(struct __sk_buff *skb)
{
	unsigned long a;

	bpf_local_irq_save(&a);
	bpf_local_irq_save(&a);
	bpf_local_irq_restore(&a);
	return 0;
}

SEC("tc")
int bad_overwritten(struct __sk_buff *skb)
{
	unsigned long a;

	bpf_local_irq_save(&a);
	*(volatile unsigned long *)&a = 0;
	bpf_local_irq_restore(&a);
	return 0;
}

SEC("tc")
int bad_read(struct __sk_buff *skb)
{
	unsigned long a;
	int low;

	bpf_local_irq_save(&a);
	low = *(volatile int *)&a;
	bpf_local_irq_restore(&a);
	return low;
}

SEC("syscall")
int bad_sleeps(void *ctx)
{
	unsigned long a;
	char text[8];

	bpf_local_irq_save(&a);
	bpf_copy_from_user_str(text, sizeof(text), (void *)4096, 0);
	bpf_local_irq_restore(&a);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
