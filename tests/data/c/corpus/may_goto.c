/* A loop that the kernel ends if nothing else does. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

__u64 rounds;
__u64 first, wanted = 1000000;

#define may_goto_end(label)                                                              \
	asm volatile goto("1:.byte 0xe5; .byte 0; .long ((%l[" #label "] - 1b - 8) / 8) & 0xffff; " \
			  ".short 0" : : : : label)

SEC("tc")
int spin(struct __sk_buff *skb)
{
	__u64 round;

	for (round = first; round < wanted; round++) {
		may_goto_end(done);
		rounds++;
	}
done:
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
