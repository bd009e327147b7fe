/* Functions that helpers call: loops, elements of maps, a virtual memory area. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16);
	__type(key, u32);
	__type(value, u64);
} table SEC(".maps");

struct sum {
	u64 values;
	u32 rounds;
};

static int add(u32 index, struct sum *sum)
{
	sum->values += index;
	return sum->values > 1000;
}

static long each(struct bpf_map *map, u32 *key, u64 *value, struct sum *sum)
{
	sum->values += *value;
	sum->rounds++;
	return 0;
}

static long area(struct task_struct *task, struct vm_area_struct *vma, struct sum *sum)
{
	sum->values = vma->vm_end - vma->vm_start;
	return 0;
}

SEC("xdp")
int loop(struct xdp_md *ctx)
{
	struct sum sum = {};

	bpf_loop(100, add, &sum, 0);
	bpf_for_each_map_elem(&table, each, &sum, 0);
	return sum.values > 5 ? XDP_PASS : XDP_DROP;
}

SEC("tp_btf/sys_enter")
int BPF_PROG(find, struct pt_regs *regs, long id)
{
	struct sum sum = {};

	bpf_find_vma(bpf_get_current_task_btf(), 0x400000, area, &sum, 0);
	return bpf_loop(sum.values & 7, add, &sum, 0);
}

char LICENSE[] SEC("license") = "GPL";
