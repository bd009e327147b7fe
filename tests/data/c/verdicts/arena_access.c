// Arenas: addresses in memory that is shared with user space, and what is done with them.
#define BPF_NO_KFUNC_PROTOTYPES
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

#define __arena __attribute__((address_space(1)))

char _license[] SEC("license") = "GPL";

extern void __arena *bpf_arena_alloc_pages(void *map, void __arena *addr, __u32 page_cnt,
					   int node_id, __u64 flags) __ksym;
extern void bpf_arena_free_pages(void *map, void __arena *ptr, __u32 page_cnt) __ksym;

enum { arena_address };

struct {
	__uint(type, BPF_MAP_TYPE_ARENA);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 10);
	__ulong(map_extra, 0x1ull << 44);
} arena SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} plain SEC(".maps");

struct cell {
	struct cell __arena *next;
	__u64 value;
	__u32 many[16];
};

__u64 __arena total SEC(".addr_space.1") = 5;
struct cell __arena *__arena head SEC(".addr_space.1");

SEC("syscall")
int ok_allocate(void *ctx)
{
	struct cell __arena *cell = bpf_arena_alloc_pages(&arena, 0, 1, -1, 0);

	if (!cell)
		return 1;
	cell->value = 42;
	cell->next = head;
	head = cell;
	bpf_arena_free_pages(&arena, cell, 1);
	return 0;
}

SEC("syscall")
int ok_any_index(void *ctx)
{
	struct cell __arena *cell = head;
	__u32 at = total;

	return cell->many[at] + cell[at * 5].value;
}

SEC("tc")
int ok_list_walked(struct __sk_buff *skb)
{
	struct cell __arena *cell = head;
	int sum = 0;

	for (int i = 0; i < 10 && cell; i++) {
		sum += cell->value;
		cell = cell->next;
	}
	return sum & 1;
}

SEC("tc")
int ok_atomics(struct __sk_buff *skb)
{
	__sync_fetch_and_add(&total, 1);
	return __sync_val_compare_and_swap(&total, 1, 2) & 1;
}

SEC("tc")
int bad_fetch_or(struct __sk_buff *skb)
{
	return __sync_fetch_and_or(&total, 1) & 1;
}

SEC("tc")
int bad_given_to_helper(struct __sk_buff *skb)
{
	return bpf_skb_load_bytes(skb, 0, (void *)&total, 8);
}

SEC("tc")
int bad_pages_in_program_that_does_not_sleep(struct __sk_buff *skb)
{
	return bpf_arena_alloc_pages(&arena, 0, 1, -1, 0) != 0;
}

SEC("syscall")
int bad_pages_of_a_number(void *ctx)
{
	return bpf_arena_alloc_pages((void *)1, (void __arena *)&total, 1, -1, 0) != 0;
}

SEC("tc")
int bad_added_to_a_stack_address(struct __sk_buff *skb)
{
	__u64 on_stack = 0;
	volatile __u64 *where = &on_stack;
	struct cell __arena *cell = head;

	asm volatile("%[where] += %[cell]" : [where] "+r"(where) : [cell] "r"(cell) :);
	return *where;
}
