/* Probes of functions of the kernel and of user space; the section says where they attach. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

struct {
	__uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY);
	__uint(key_size, sizeof(int));
	__uint(value_size, sizeof(int));
} events SEC(".maps");

struct event {
	u64 size;
	u32 pid;
};

SEC("uprobe//lib/x86_64-linux-gnu/libc.so.6:malloc")
int BPF_KPROBE(on_malloc, size_t size)
{
	struct event event = {.size = size, .pid = bpf_get_current_pid_tgid()};

	bpf_perf_event_output(ctx, &events, BPF_F_CURRENT_CPU, &event, sizeof(event));
	return 0;
}

SEC("uretprobe//lib/x86_64-linux-gnu/libc.so.6:malloc")
int BPF_KRETPROBE(on_malloc_return, void *place)
{
	return place == 0;
}

SEC("uprobe.s//lib/x86_64-linux-gnu/libc.so.6:free")
int on_free(struct pt_regs *ctx)
{
	char text[4] = {};

	bpf_copy_from_user(text, sizeof(text), (void *)PT_REGS_PARM1(ctx));
	return text[0];
}

SEC("kprobe/do_unlinkat")
int BPF_KPROBE(on_unlink, int dfd, struct filename *name)
{
	const char *text;

	bpf_probe_read_kernel(&text, sizeof(text), &name->name);
	return text != 0 && dfd < 0;
}

SEC("kretprobe/do_unlinkat")
int on_unlink_return(struct pt_regs *ctx)
{
	return PT_REGS_RC(ctx) < 0;
}

SEC("ksyscall/unlinkat")
int BPF_KPROBE(on_syscall)
{
	return 0;
}

SEC("uretprobe.s//lib/x86_64-linux-gnu/libc.so.6:free")
int on_free_return(struct pt_regs *ctx)
{
	return 0;
}

u32 _version SEC("version") = 0x061200;
char LICENSE[] SEC("license") = "GPL";
