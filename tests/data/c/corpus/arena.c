/* Memory shared with user space: pages allocated, pointers kept, globals that live there. */
#define BPF_NO_KFUNC_PROTOTYPES
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

#define __arena __attribute__((address_space(1)))

#ifndef __BPF_FEATURE_ADDR_SPACE_CAST
#error "a compiler with address spaces is wanted"
#endif

extern void __arena *bpf_arena_alloc_pages(void *map, void __arena *addr, __u32 page_cnt, int node_id,
					   __u64 flags) __ksym;
extern void bpf_arena_free_pages(void *map, void __arena *ptr, __u32 page_cnt) __ksym;

#ifndef __ulong
#define __ulong(name, val) enum { arena_value = (val) } name
#endif

struct {
	__uint(type, 33); /* BPF_MAP_TYPE_ARENA */
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 100);
	__ulong(map_extra, 0x1ull << 44);
} arena SEC(".maps");

struct cell {
	struct cell __arena *next;
	__u64 value;
};

__u64 __arena total SEC(".addr_space.1") = 5;
struct cell __arena *__arena head SEC(".addr_space.1");

SEC("syscall")
int use(void *ctx)
{
	struct cell __arena *cell = bpf_arena_alloc_pages(&arena, 0, 1, -1, 0);

	if (!cell)
		return -1;
	cell->value = 42;
	cell->next = head;
	head = cell;
	total += cell->value;
	return total;
}

char LICENSE[] SEC("license") = "GPL";
