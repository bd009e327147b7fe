/* Fields that are wider or narrower here than in the kernel: loads and stores change width. */
#include <linux/bpf.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#define relocated __attribute__((preserve_access_index))

struct task_struct___narrow {
	unsigned short flags;   /* 4 bytes in the kernel */
	unsigned int start_time; /* 8 bytes */
} relocated;

struct task_struct___wide {
	unsigned long long flags;
	void *exit_code;
} relocated;

struct bpf_sock___short {
	__u8 family;
} relocated;

__u64 sum;

SEC("tp_btf/sched_wakeup")
int on_wakeup(__u64 *ctx)
{
	struct task_struct___narrow *narrow = (void *)ctx[0];
	struct task_struct___wide *wide = (void *)ctx[0];

	sum += narrow->flags + narrow->start_time;
	sum += wide->flags;
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
