.license "GPL"
.map events ringbuf max_entries=4096

.section "xdp"

.globl bad
.proto int bad(struct xdp_md *ctx)
bad:
    .let ctx = r1
    .loc "reference-leak.c" 12 0 "int bad(struct xdp_md *ctx)"
    r6 = r1
    .unlet ctx = r1
    .let ctx = r6
    .loc 14 18 "\t__u64 *record = bpf_ringbuf_reserve(&events, 8, 0);"
    r1 = map[events] ll
    r2 = 8
    r3 = 0
    call bpf_ringbuf_reserve#131
    .let record = r0
    w1 = 2
    .loc 15 6 "\tif (!record)"
    if r0 == 0 goto .L16
    .loc 17 17 "\t*record = ctx->rx_queue_index;"
    r2 = *(u32 *)(r6 + 16) @core(field_byte_offset, struct xdp_md, "0:4")    ; xdp_md.rx_queue_index
    .loc 17 10 "\t*record = ctx->rx_queue_index;"
    *(u64 *)(r0 + 0) = r2
    w1 = 1
    .loc 18 6 "\tif (*record > 7)"
    if w2 > 7 goto .L16
    .loc 20 2 "\tbpf_ringbuf_submit(record, 0);"
    r1 = r0
    r2 = 0
    call bpf_ringbuf_submit#132
    .unlet record = r0
    w1 = 2
.L16:
    .loc 22 1 "}"
    w0 = w1
    exit

.globl good
.proto int good(struct xdp_md *ctx)
good:
    .let ctx = r1
    .loc "reference-leak.c" 25 0 "int good(struct xdp_md *ctx)"
    r6 = r1
    .unlet ctx = r1
    .let ctx = r6
    .loc 27 18 "\t__u64 *record = bpf_ringbuf_reserve(&events, 8, 0);"
    r1 = map[events] ll
    r2 = 8
    r3 = 0
    call bpf_ringbuf_reserve#131
    .let record = r0
    w1 = 2
    .loc 28 6 "\tif (!record)"
    if r0 == 0 goto .L20
    .loc 30 17 "\t*record = ctx->rx_queue_index;"
    r1 = *(u32 *)(r6 + 16) @core(field_byte_offset, struct xdp_md, "0:4")    ; xdp_md.rx_queue_index
    .loc 30 10 "\t*record = ctx->rx_queue_index;"
    *(u64 *)(r0 + 0) = r1
    .loc 31 6 "\tif (*record > 7) {"
    if w1 < 8 goto .L16
    .loc 32 3 "\t\tbpf_ringbuf_discard(record, 0);"
    r1 = r0
    r2 = 0
    call bpf_ringbuf_discard#133
    .unlet record = r0
    w1 = 1
    .loc 33 3 "\t\treturn XDP_DROP;"
    goto .L20
.L16:
    .let record = r0
    .loc 35 2 "\tbpf_ringbuf_submit(record, 0);"
    r1 = r0
    r2 = 0
    call bpf_ringbuf_submit#132
    .unlet record = r0
    w1 = 2
.L20:
    .loc 37 1 "}"
    w0 = w1
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
