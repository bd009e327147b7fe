/* Functions of the kernel, at their beginning and end, and security hooks. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

SEC("fentry/do_unlinkat")
int BPF_PROG(enter, int dfd, struct filename *name)
{
	return 0;
}

SEC("fexit/do_unlinkat")
int BPF_PROG(leave, int dfd, struct filename *name, long ret)
{
	return 0;
}

SEC("lsm/file_open")
int BPF_PROG(open, struct file *file)
{
	return 0;
}

SEC("lsm_cgroup/socket_bind")
int BPF_PROG(bind, struct socket *sock, struct sockaddr *address, int addrlen)
{
	return 1;
}

SEC("fentry.s/do_unlinkat")
int BPF_PROG(sleepable_enter, int dfd, struct filename *name)
{
	return 0;
}

SEC("fexit.s/do_unlinkat")
int BPF_PROG(sleepable_leave, int dfd, struct filename *name, long ret)
{
	return 0;
}

SEC("fmod_ret/security_file_open")
int BPF_PROG(modify, struct file *file, int ret)
{
	return ret;
}

SEC("fmod_ret.s/security_file_open")
int BPF_PROG(sleepable_modify, struct file *file, int ret)
{
	return ret;
}

SEC("lsm.s/file_open")
int BPF_PROG(sleepable_open, struct file *file)
{
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
