/* A kernel function by kprobe: strings of the kernel, several hops, return addresses. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <bpf/bpf_core_read.h>

char LICENSE[] SEC("license") = "Dual BSD/GPL";

char last_name[64];
__u64 last_dev, last_ip;

SEC("kprobe/do_unlinkat")
int BPF_KPROBE(do_unlinkat, int dfd, struct filename *name)
{
	pid_t pid;
	const char *filename;

	pid = bpf_get_current_pid_tgid() >> 32;
	filename = BPF_CORE_READ(name, name);
	bpf_printk("KPROBE ENTRY pid = %d, filename = %s\n", pid, filename);
	BPF_KPROBE_READ_RET_IP(last_ip, ctx);
	return 0;
}

SEC("kretprobe/do_unlinkat")
int BPF_KRETPROBE(do_unlinkat_exit, long ret)
{
	struct task_struct *task = (void *)bpf_get_current_task();

	bpf_printk("KPROBE EXIT: ret = %ld\n", ret);
	BPF_CORE_READ_STR_INTO(&last_name, task, group_leader, real_parent, comm);
	last_dev = BPF_CORE_READ(task, mm, exe_file, f_inode, i_sb, s_dev);
	BPF_KRETPROBE_READ_RET_IP(last_ip, ctx);
	return 0;
}
