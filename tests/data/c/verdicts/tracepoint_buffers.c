/* The buffer of a writable raw tracepoint. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

SEC("raw_tracepoint.w/nbd_send_request")
int ok_written(struct bpf_raw_tracepoint_args *ctx)
{
	u32 *request = (void *)ctx->args[0];

	request[1] = request[0] + 1;
	return ctx->args[1] != 0;
}

SEC("raw_tracepoint.w/nbd_send_request")
int bad_variable(struct bpf_raw_tracepoint_args *ctx)
{
	u8 *request = (void *)ctx->args[0];

	return request[bpf_get_prandom_u32() & 7];
}

SEC("raw_tracepoint.w/nbd_send_request")
int bad_negative(struct bpf_raw_tracepoint_args *ctx)
{
	u8 *request = (void *)ctx->args[0];

	return request[-4];
}

SEC("raw_tracepoint.w/nbd_send_request")
int bad_other_argument(struct bpf_raw_tracepoint_args *ctx)
{
	u32 *request = (void *)ctx->args[1];

	return request[0];
}

SEC("raw_tp/nbd_send_request")
int bad_not_writable(struct bpf_raw_tracepoint_args *ctx)
{
	u32 *request = (void *)ctx->args[0];

	return request[0];
}

char LICENSE[] SEC("license") = "GPL";
