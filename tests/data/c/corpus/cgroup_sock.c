/* Sockets of a control group, made, bound and released. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#define AF_INET 2

SEC("cgroup/sock_create")
int create(struct bpf_sock *sk)
{
	sk->mark = 9;
	return sk->family == AF_INET;
}

SEC("cgroup/sock")
int create_too(struct bpf_sock *sk)
{
	sk->priority = 2;
	return 1;
}

SEC("cgroup/sock_release")
int release(struct bpf_sock *sk)
{
	return sk->protocol != 6;
}

SEC("cgroup/post_bind4")
int bound4(struct bpf_sock *sk)
{
	return sk->src_port != 80 || sk->src_ip4 == 0x0100007f;
}

SEC("cgroup/post_bind6")
int bound6(struct bpf_sock *sk)
{
	return sk->src_ip6[3] != 0;
}

char LICENSE[] SEC("license") = "GPL";
