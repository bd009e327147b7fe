// Samples that user space wrote: a function gets each as a dynptr that it may use, not end.
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char _license[] SEC("license") = "GPL";

struct {
	__uint(type, BPF_MAP_TYPE_USER_RINGBUF);
	__uint(max_entries, 4096);
} commands SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} events SEC(".maps");

struct sum {
	__u64 total;
	__u32 count;
};

static long add(struct bpf_dynptr *command, struct sum *sum)
{
	__u64 word = 0;

	if (bpf_dynptr_read(&word, sizeof(word), command, 0, 0))
		return 1;
	sum->total += word;
	sum->count++;
	return 0;
}

SEC("tp/syscalls/sys_enter_getpgid")
int ok_read(void *ctx)
{
	struct sum sum = {};

	bpf_user_ringbuf_drain(&commands, add, &sum, 0);
	return sum.total != sum.count;
}

static long look(struct bpf_dynptr *command, __u64 *word)
{
	__u64 *found = bpf_dynptr_data(command, 0, sizeof(*found));

	if (found)
		*word = *found;
	return 0;
}

SEC("tp/syscalls/sys_enter_getpgid")
int ok_looked_at(void *ctx)
{
	__u64 word = 0;

	bpf_user_ringbuf_drain(&commands, look, &word, 0);
	return word != 0;
}

static long peep(struct bpf_dynptr *command, __u64 *word)
{
	*word = *(__u64 *)command;
	return 0;
}

SEC("tp/syscalls/sys_enter_getpgid")
int bad_the_dynptr_as_memory(void *ctx)
{
	__u64 word = 0;

	bpf_user_ringbuf_drain(&commands, peep, &word, 0);
	return word != 0;
}

static long discard(struct bpf_dynptr *command, void *ctx)
{
	bpf_ringbuf_discard_dynptr(command, 0);
	return 0;
}

SEC("tp/syscalls/sys_enter_getpgid")
int bad_discarded(void *ctx)
{
	bpf_user_ringbuf_drain(&commands, discard, 0, 0);
	return 0;
}

static long reuse(struct bpf_dynptr *command, void *ctx)
{
	bpf_ringbuf_reserve_dynptr(&events, 8, 0, command);
	return 0;
}

SEC("tp/syscalls/sys_enter_getpgid")
int bad_made_anew(void *ctx)
{
	bpf_user_ringbuf_drain(&commands, reuse, 0, 0);
	return 0;
}

static long count(struct bpf_dynptr *command, __u64 *words)
{
	return ++*words;
}

SEC("tp/syscalls/sys_enter_getpgid")
int bad_returns_a_count(void *ctx)
{
	__u64 words = 0;

	bpf_user_ringbuf_drain(&commands, count, &words, 0);
	return 0;
}

SEC("tp/syscalls/sys_enter_getpgid")
int bad_another_map(void *ctx)
{
	__u64 word = 0;

	bpf_user_ringbuf_drain(&events, look, &word, 0);
	return 0;
}

static long hand_out(struct bpf_dynptr *command, __u64 *word)
{
	*(volatile __u64 *)word = (__u64)command;
	return 0;
}

SEC("tp/syscalls/sys_enter_getpgid")
int bad_kept_on_the_stack(void *ctx)
{
	__u64 word = 0, *volatile there = &word;
	char byte;

	bpf_user_ringbuf_drain(&commands, hand_out, there, 0);
	if (word)
		bpf_dynptr_read(&byte, 1, (void *)word, 0, 0);
	return 0;
}
