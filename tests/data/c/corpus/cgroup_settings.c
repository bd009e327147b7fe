/* What a control group may set: sysctls, socket options, devices. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("cgroup/sysctl")
int sysctls(struct bpf_sysctl *ctx)
{
	char name[32];

	if (!ctx->write)
		return 1;
	if (bpf_sysctl_get_name(ctx, name, sizeof(name), BPF_F_SYSCTL_BASE_NAME) < 0)
		return 0;
	return name[0] == 't' && name[1] == 'c' && name[2] == 'p';
}

SEC("cgroup/getsockopt")
int get_option(struct bpf_sockopt *ctx)
{
	__u8 *value = ctx->optval;

	if (ctx->level != 1 || value + 1 > (__u8 *)ctx->optval_end)
		return 1;
	value[0] = 5;
	ctx->retval = 0;
	return 1;
}

SEC("cgroup/setsockopt")
int set_option(struct bpf_sockopt *ctx)
{
	if (ctx->optname == 3)
		ctx->optlen = -1;
	return 1;
}

SEC("cgroup/dev")
int devices(struct bpf_cgroup_dev_ctx *ctx)
{
	return ctx->major == 1 && (ctx->access_type & 0xffff) == BPF_DEVCG_DEV_CHAR;
}

char LICENSE[] SEC("license") = "GPL";
