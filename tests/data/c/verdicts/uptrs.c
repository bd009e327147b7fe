// Pointers to memory of user space that is kept in place, in task storage.
#define BPF_NO_KFUNC_PROTOTYPES
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#define __uptr __attribute__((btf_type_tag("uptr")))

char _license[] SEC("license") = "GPL";

struct shared {
	__u64 count;
	__u32 more[4];
};

struct kept {
	struct shared __uptr *shared;
	__u64 after;
};

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct kept);
} keep SEC(".maps");

struct shared keeps_the_type; /* which clang would only declare */

static struct kept *find(void)
{
	return bpf_task_storage_get(&keep, bpf_get_current_task_btf(), 0, 0);
}

SEC("tp_btf/sys_enter")
int BPF_PROG(ok_written, struct pt_regs *regs, long id)
{
	struct kept *kept = find();
	struct shared *shared;

	if (!kept)
		return 0;
	shared = kept->shared;
	if (!shared)
		return 0;
	shared->count++;
	shared->more[id & 3] = 1;
	return 0;
}

SEC("tp_btf/sys_enter")
int BPF_PROG(bad_unchecked, struct pt_regs *regs, long id)
{
	struct kept *kept = find();

	if (kept)
		kept->shared->count++;
	return 0;
}

SEC("tp_btf/sys_enter")
int BPF_PROG(bad_beyond, struct pt_regs *regs, long id)
{
	struct kept *kept = find();
	struct shared *shared;

	if (!kept)
		return 0;
	shared = kept->shared;
	if (shared)
		shared->more[id & 7] = 1;
	return 0;
}

SEC("tp_btf/sys_enter")
int BPF_PROG(bad_stored, struct pt_regs *regs, long id)
{
	struct kept *kept = find();

	if (kept)
		*(volatile __u64 *)&kept->shared = 0;
	return 0;
}

SEC("tp_btf/sys_enter")
int BPF_PROG(bad_exchanged, struct pt_regs *regs, long id)
{
	struct kept *kept = find();

	if (kept)
		bpf_kptr_xchg(&kept->shared, 0);
	return 0;
}
