/* Arguments of system calls, wrapped or not. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <bpf/bpf_core_read.h>

#define TASK_COMM_LEN 16

SEC("ksyscall/kill")
int BPF_KSYSCALL(entry_probe, pid_t pid, int sig)
{
	char comm[TASK_COMM_LEN];
	__u32 caller_pid;

	if (sig == 0)
		return 0;

	caller_pid = bpf_get_current_pid_tgid() >> 32;
	bpf_get_current_comm(&comm, sizeof(comm));
	bpf_printk("PID %d (%s) sent signal %d ", caller_pid, comm, sig);
	bpf_printk("to PID %d\n", pid);
	return 0;
}

#ifndef LIBBPF_1_1 /* which took five arguments */
SEC("ksyscall/mmap")
int BPF_KSYSCALL(mmap_probe, void *addr, size_t length, int prot, int flags, int fd, off_t offset)
{
	bpf_printk("mmap %lx + %lx, %d: ", addr, length, prot);
	bpf_printk("%x %d %lx", flags, fd, offset);
	return 0;
}
#endif

char _license[] SEC("license") = "GPL";
