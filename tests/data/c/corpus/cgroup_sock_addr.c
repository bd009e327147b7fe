/* Addresses of a control group's sockets: every hook. */
#include <linux/bpf.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define VIP bpf_htonl(0x0a000001)

SEC("cgroup/bind4") int bind4(struct bpf_sock_addr *ctx)
{
	ctx->user_port = bpf_htons(8080);
	return 1;
}
SEC("cgroup/bind6") int bind6(struct bpf_sock_addr *ctx)
{
	return ctx->user_ip6[0] == 0 ? 3 : 1;
}
SEC("cgroup/connect4") int connect4(struct bpf_sock_addr *ctx)
{
	if (ctx->user_ip4 == VIP && ctx->user_port == bpf_htons(53)) {
		ctx->user_ip4 = bpf_htonl(0x7f000001);
		ctx->user_port = bpf_htons(5353);
	}
	return 1;
}
SEC("cgroup/connect6") int connect6(struct bpf_sock_addr *ctx)
{
	ctx->user_ip6[3] = bpf_htonl(1);
	return ctx->type == 1;
}
SEC("cgroup/sendmsg4") int sendmsg4(struct bpf_sock_addr *ctx)
{
	ctx->msg_src_ip4 = VIP;
	return 1;
}
SEC("cgroup/sendmsg6") int sendmsg6(struct bpf_sock_addr *ctx)
{
	return ctx->msg_src_ip6[0] == 0;
}
SEC("cgroup/recvmsg4") int recvmsg4(struct bpf_sock_addr *ctx)
{
	ctx->user_ip4 = VIP;
	return 1;
}
SEC("cgroup/recvmsg6") int recvmsg6(struct bpf_sock_addr *ctx)
{
	return 1;
}
SEC("cgroup/getpeername4") int getpeername4(struct bpf_sock_addr *ctx)
{
	ctx->user_port = 0;
	return 1;
}
SEC("cgroup/getpeername6") int getpeername6(struct bpf_sock_addr *ctx)
{
	return 1;
}
SEC("cgroup/getsockname4") int getsockname4(struct bpf_sock_addr *ctx)
{
	return 1;
}
SEC("cgroup/getsockname6") int getsockname6(struct bpf_sock_addr *ctx)
{
	return ctx->sk != 0;
}

char LICENSE[] SEC("license") = "GPL";
