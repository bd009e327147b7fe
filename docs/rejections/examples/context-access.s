.license "GPL"

.section "xdp"

.globl bad
.proto int bad(struct xdp_md *ctx)
bad:
    .let ctx = r1
    .loc "context-access.c" 9 9 "\treturn *(volatile __u8 *)&ctx->rx_queue_index ? XDP_PASS : XDP_DROP;"
    r1 = *(u8 *)(r1 + 16) @core(field_byte_offset, struct xdp_md, "0:4")    ; xdp_md.rx_queue_index
    .unlet ctx = r1
    w0 = 1
    if w1 == 0 goto .L4
    w0 = 2
.L4:
    .loc 9 2 "\treturn *(volatile __u8 *)&ctx->rx_queue_index ? XDP_PASS : XDP_DROP;"
    exit

.globl good
.proto int good(struct xdp_md *ctx)
good:
    .let ctx = r1
    .loc "context-access.c" 15 20 "\treturn (__u8)ctx->rx_queue_index ? XDP_PASS : XDP_DROP;"
    r1 = *(u32 *)(r1 + 16) @core(field_byte_offset, struct xdp_md, "0:4")    ; xdp_md.rx_queue_index
    .unlet ctx = r1
    .loc 15 9 "\treturn (__u8)ctx->rx_queue_index ? XDP_PASS : XDP_DROP;"
    w1 &= 255
    w0 = 1
    if w1 == 0 goto .L5
    w0 = 2
.L5:
    .loc 15 2 "\treturn (__u8)ctx->rx_queue_index ? XDP_PASS : XDP_DROP;"
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
