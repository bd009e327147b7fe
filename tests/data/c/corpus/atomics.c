/* Every atomic operation, of 32 and of 64 bits. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

__u64 wide = 1;
__u32 narrow = 2;
__u64 results[10];

SEC("tc")
int work(struct __sk_buff *skb)
{
	__u64 by = skb->len;

	__sync_fetch_and_add(&wide, by);
	results[0] = __sync_fetch_and_add(&wide, 1);
	results[1] = __sync_fetch_and_or(&wide, 0x10);
	results[2] = __sync_fetch_and_and(&wide, ~4ULL);
	results[3] = __sync_fetch_and_xor(&wide, by);
	results[4] = __sync_val_compare_and_swap(&wide, 3, 4);
	results[5] = __sync_lock_test_and_set(&wide, 9);
	results[6] = __sync_fetch_and_add(&narrow, 1);
	results[7] = __sync_val_compare_and_swap(&narrow, 1, 2);
	results[8] = __sync_lock_test_and_set(&narrow, 3);
	results[9] = __sync_fetch_and_xor(&narrow, 7);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
