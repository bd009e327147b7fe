/* bpf_cast_to_kern_ctx and bpf_rdonly_cast. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

SEC("tc")
int ok_kernel_s_packet(struct __sk_buff *skb)
{
	struct sk_buff *kernel = bpf_cast_to_kern_ctx(skb);

	return kernel->len;
}

SEC("xdp")
int ok_kernel_s_frame(struct xdp_md *ctx)
{
	struct xdp_buff *frame = bpf_cast_to_kern_ctx(ctx);

	return frame->data_hard_start ? XDP_PASS : XDP_DROP;
}

SEC("tc")
int bad_not_the_context(struct __sk_buff *skb)
{
	long other = 0;

	return bpf_cast_to_kern_ctx(&other) != 0;
}

SEC("tc")
int bad_moved_context(struct __sk_buff *skb)
{
	return bpf_cast_to_kern_ctx((void *)skb + 8) != 0;
}

SEC("tc")
int ok_read_only_cast(struct __sk_buff *skb)
{
	struct sk_buff *kernel = bpf_cast_to_kern_ctx(skb);
	struct skb_shared_info *shared;

	shared = bpf_rdonly_cast(kernel->head + kernel->end,
				 bpf_core_type_id_kernel(struct skb_shared_info));
	return shared->nr_frags;
}

SEC("tc")
int ok_bytes(struct __sk_buff *skb)
{
	const unsigned char *bytes = bpf_rdonly_cast((void *)(long)skb->len, 0);

	return bytes[0] + bytes[4096];
}

SEC("tc")
int bad_written(struct __sk_buff *skb)
{
	struct sk_buff *seen = bpf_rdonly_cast(skb, bpf_core_type_id_kernel(struct sk_buff));

	seen->len = 0;
	return 0;
}

SEC("tc")
int bad_bytes_written(struct __sk_buff *skb)
{
	unsigned char *bytes = bpf_rdonly_cast((void *)(long)skb->len, 0);

	bytes[0] = 1;
	return 0;
}

SEC("tc")
int bad_type_is_no_struct(struct __sk_buff *skb)
{
	return bpf_rdonly_cast(skb, 1) != 0;
}

SEC("tc")
int bad_type_is_unknown(struct __sk_buff *skb)
{
	return bpf_rdonly_cast(skb, 0x7ffffff) != 0;
}

SEC("tc")
int bad_type_is_not_constant(struct __sk_buff *skb)
{
	return bpf_rdonly_cast(skb, skb->len) != 0;
}

SEC("tc")
int bad_passed_on(struct __sk_buff *skb)
{
	struct task_struct *task;

	task = bpf_rdonly_cast((void *)4096, bpf_core_type_id_kernel(struct task_struct));
	task = bpf_task_acquire(task);
	if (task)
		bpf_task_release(task);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
