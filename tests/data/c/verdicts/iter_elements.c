/* Buffers of an iterator over a map's elements. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

SEC("iter/bpf_map_elem")
int ok_elements(struct bpf_iter__bpf_map_elem *ctx)
{
	u32 *key = ctx->key;
	u64 *value = ctx->value;

	if (!key || !value)
		return 0;
	*value += *key;
	value[2] = 5;
	return 0;
}

SEC("iter/bpf_map_elem")
int bad_key_written(struct bpf_iter__bpf_map_elem *ctx)
{
	u32 *key = ctx->key;

	if (key)
		*key = 1;
	return 0;
}

SEC("iter/bpf_map_elem")
int bad_unchecked(struct bpf_iter__bpf_map_elem *ctx)
{
	return *(u8 *)ctx->value & 1;
}

SEC("iter/bpf_map_elem")
int bad_variable(struct bpf_iter__bpf_map_elem *ctx)
{
	u8 *value = ctx->value;

	return value ? value[bpf_get_prandom_u32() & 7] & 1 : 0;
}

SEC("iter/bpf_map_elem")
int bad_negative(struct bpf_iter__bpf_map_elem *ctx)
{
	u8 *value = ctx->value;

	return value ? value[-1] & 1 : 0;
}

SEC("iter/bpf_map_elem")
int ok_key_as_argument(struct bpf_iter__bpf_map_elem *ctx)
{
	u8 *key = ctx->key;

	return key ? bpf_strncmp((void *)key, 4, "abc") & 1 : 0;
}

char LICENSE[] SEC("license") = "GPL";
