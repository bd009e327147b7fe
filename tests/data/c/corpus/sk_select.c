/* Which socket gets a connection: by lookup, and among those of one port. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_REUSEPORT_SOCKARRAY);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, __u64);
} workers SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_SOCKMAP);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} redirect SEC(".maps");

SEC("sk_reuseport")
int select(struct sk_reuseport_md *ctx)
{
	__u32 worker = ctx->hash & 3;

	return bpf_sk_select_reuseport(ctx, &workers, &worker, 0) ? SK_DROP : SK_PASS;
}

SEC("sk_reuseport/migrate")
int migrate(struct sk_reuseport_md *ctx)
{
	return ctx->migrating_sk ? SK_PASS : SK_DROP;
}

SEC("sk_lookup")
int lookup(struct bpf_sk_lookup *ctx)
{
	struct bpf_sock *sk;
	__u32 zero = 0;
	int err;

	if (ctx->local_port < 7000 || ctx->local_port > 7010)
		return SK_PASS;
	sk = bpf_map_lookup_elem(&redirect, &zero);
	if (!sk)
		return SK_DROP;
	err = bpf_sk_assign(ctx, sk, 0);
	bpf_sk_release(sk);
	return err ? SK_DROP : SK_PASS;
}

char LICENSE[] SEC("license") = "GPL";
