/* A program that is run by a system call and makes some itself. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

struct arguments {
	__u64 answer;
	int map_fd;
};

SEC("syscall")
int run(struct arguments *args)
{
	static union bpf_attr attr;
	int fd;

	attr.map_type = BPF_MAP_TYPE_ARRAY;
	attr.key_size = 4;
	attr.value_size = 8;
	attr.max_entries = 1;
	fd = bpf_sys_bpf(BPF_MAP_CREATE, &attr, sizeof(attr));
	if (fd <= 0)
		return fd;
	args->answer = 42;
	bpf_sys_close(fd);
	return args->map_fd;
}

char LICENSE[] SEC("license") = "GPL";
