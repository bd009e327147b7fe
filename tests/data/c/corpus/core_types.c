/* Types themselves: ids here and in the kernel, size, whether there is one like it. */
#include "vmlinux.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#ifndef bpf_core_type_matches
#define bpf_core_type_matches(type) __builtin_preserve_type_info(*(typeof(type) *)0, 2)
#endif

struct mine {
	u64 a;
	u32 b;
};

struct list_head___same {
	struct list_head *next, *prev;
};

struct list_head___different {
	int next;
};

typedef int pid_t___other;

u64 facts[10];

SEC("xdp")
int ask(struct xdp_md *ctx)
{
	facts[0] = bpf_core_type_id_local(struct mine);
	facts[1] = bpf_core_type_id_kernel(struct task_struct);
	facts[2] = bpf_core_type_size(struct sk_buff);
	facts[3] = bpf_core_type_size(union bpf_attr);
	facts[4] = bpf_core_type_exists(struct mine);
	facts[5] = bpf_core_type_matches(struct list_head___same);
	facts[6] = bpf_core_type_matches(struct list_head___different);
	facts[7] = bpf_core_type_exists(pid_t___other);
	facts[8] = bpf_core_type_size(enum bpf_map_type);
	facts[9] = bpf_core_type_id_kernel(struct mine);
	return XDP_PASS;
}

char LICENSE[] SEC("license") = "GPL";
