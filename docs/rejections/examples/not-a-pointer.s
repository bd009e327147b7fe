.license "GPL"

.section "xdp"

.globl bad
.proto int bad(struct xdp_md *ctx)
bad:
    .let ctx = r1
    .loc "not-a-pointer.c" 7 0 "int bad(struct xdp_md *ctx)"
    w0 = 2
    .loc 10 38 "\tvoid *data_end = (void *)(long)ctx->data_end;"
    r2 = *(u32 *)(r1 + 4) @core(field_byte_offset, struct xdp_md, "0:1")    ; xdp_md.data_end
    .let data_end = r2
    .loc 9 34 "\t__u8 *data = (void *)(long)ctx->data;"
    r6 = *(u32 *)(r1 + 0) @core(field_byte_offset, struct xdp_md, "0:0")    ; xdp_md.data
    .let data = r6
    .loc 12 20 "\tif ((void *)(data + 14) > data_end)"
    r3 = r6
    r3 += 14
    .loc 12 6 "\tif ((void *)(data + 14) > data_end)"
    if r3 > r2 goto .L14
    .loc 14 6 "\tif (bpf_xdp_adjust_head(ctx, 4))"
    w2 = 4
    .unlet data_end = r2
    call bpf_xdp_adjust_head#44
    .unlet ctx = r1
    r1 = r0
    w0 = 1
    .loc 14 6 "\tif (bpf_xdp_adjust_head(ctx, 4))"
    if r1 != 0 goto .L14
    .loc 16 9 "\treturn data[0] ? XDP_PASS : XDP_DROP;"
    r1 = *(u8 *)(r6 + 0)
    if w1 == 0 goto .L14
    w0 = 2
.L14:
    .loc 17 1 "}"
    exit

.globl good
.proto int good(struct xdp_md *ctx)
good:
    .let ctx = r1
    .loc "not-a-pointer.c" 20 0 "int good(struct xdp_md *ctx)"
    r6 = r1
    .unlet ctx = r1
    .let ctx = r6
    .loc 22 6 "\tif (bpf_xdp_adjust_head(ctx, 4))"
    w2 = 4
    call bpf_xdp_adjust_head#44
    r1 = r0
    w0 = 1
    .loc 22 6 "\tif (bpf_xdp_adjust_head(ctx, 4))"
    if r1 != 0 goto .L16
    w0 = 2
    .loc 25 38 "\tvoid *data_end = (void *)(long)ctx->data_end;"
    r2 = *(u32 *)(r6 + 4) @core(field_byte_offset, struct xdp_md, "0:1")    ; xdp_md.data_end
    .let data_end = r2
    .loc 24 34 "\t__u8 *data = (void *)(long)ctx->data;"
    r1 = *(u32 *)(r6 + 0) @core(field_byte_offset, struct xdp_md, "0:0")    ; xdp_md.data
    .let data = r1
    .loc 27 20 "\tif ((void *)(data + 14) > data_end)"
    r3 = r1
    r3 += 14
    .loc 27 6 "\tif ((void *)(data + 14) > data_end)"
    if r3 > r2 goto .L16
    .loc 29 9 "\treturn data[0] ? XDP_PASS : XDP_DROP;"
    r1 = *(u8 *)(r1 + 0)
    .unlet data = r1
    w0 = 1
    if w1 == 0 goto .L16
    w0 = 2
.L16:
    .unlet data_end = r2
    .loc 30 1 "}"
    exit

.types
struct xdp_md {
    __u32 data;
    __u32 data_end;
    __u32 data_meta;
    __u32 ingress_ifindex;
    __u32 rx_queue_index;
    __u32 egress_ifindex;
};
typedef unsigned int __u32;
