/* A ring buffer that user space fills, drained by a callback with a dynptr. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_USER_RINGBUF);
	__uint(max_entries, 4096);
} commands SEC(".maps");

int handled;

static long handle(struct bpf_dynptr *command, void *context)
{
	__u64 word = 0;

	bpf_dynptr_read(&word, sizeof(word), command, 0, 0);
	*(__u64 *)context += word;
	handled++;
	return 0;
}

SEC("tp/syscalls/sys_enter_getpgid")
int drain(void *record)
{
	__u64 sum = 0;

	bpf_user_ringbuf_drain(&commands, handle, &sum, 0);
	return sum != 0;
}

char LICENSE[] SEC("license") = "GPL";
