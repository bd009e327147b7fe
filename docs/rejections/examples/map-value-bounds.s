.license "GPL"
.map counts hash key=__u32 value=__u64[4] max_entries=16

.section "xdp"

.globl bad
.proto int bad(struct xdp_md *ctx)
bad:
    .let ctx = r1
    .let key = r10 - 4
    .loc "map-value-bounds.c" 14 0 "int bad(struct xdp_md *ctx)"
    r6 = r1
    .unlet ctx = r1
    .let ctx = r6
    .loc 16 19 "\t__u32 key = ctx->ingress_ifindex;"
    r1 = *(u32 *)(r6 + 12) @core(field_byte_offset, struct xdp_md, "0:3")    ; xdp_md.ingress_ifindex
    .loc 16 8 "\t__u32 key = ctx->ingress_ifindex;"
    *(u32 *)(r10 - 4) = r1
    r2 = r10
    r2 += -4
    .loc 17 17 "\t__u64 *value = bpf_map_lookup_elem(&counts, &key);"
    r1 = map[counts] ll
    call bpf_map_lookup_elem#1
    .let value = r0
    w1 = 2
    .loc 18 6 "\tif (!value)"
    if r0 == 0 goto .L19
    w1 = 1
    .loc 20 21 "\t__u32 queue = ctx->rx_queue_index;"
    r2 = *(u32 *)(r6 + 16) @core(field_byte_offset, struct xdp_md, "0:4")    ; xdp_md.rx_queue_index
    .let queue = r2
    .loc 21 6 "\tif (queue > 4)"
    if w2 > 4 goto .L19
    .loc 23 2 "\tvalue[queue] += 1;"
    r2 <<= 3
    .unlet queue = r2
    r0 += r2
    .unlet value = r0
    .loc 23 15 "\tvalue[queue] += 1;"
    r1 = *(u64 *)(r0 + 0)
    r1 += 1
    *(u64 *)(r0 + 0) = r1
    w1 = 2
.L19:
    .loc 25 1 "}"
    w0 = w1
    exit

.globl good
.proto int good(struct xdp_md *ctx)
good:
    .let ctx = r1
    .let key = r10 - 4
    .loc "map-value-bounds.c" 28 0 "int good(struct xdp_md *ctx)"
    r6 = r1
    .unlet ctx = r1
    .let ctx = r6
    .loc 30 19 "\t__u32 key = ctx->ingress_ifindex;"
    r1 = *(u32 *)(r6 + 12) @core(field_byte_offset, struct xdp_md, "0:3")    ; xdp_md.ingress_ifindex
    .loc 30 8 "\t__u32 key = ctx->ingress_ifindex;"
    *(u32 *)(r10 - 4) = r1
    r2 = r10
    r2 += -4
    .loc 31 17 "\t__u64 *value = bpf_map_lookup_elem(&counts, &key);"
    r1 = map[counts] ll
    call bpf_map_lookup_elem#1
    .let value = r0
    w1 = 2
    .loc 32 6 "\tif (!value)"
    if r0 == 0 goto .L19
    w1 = 1
    .loc 34 21 "\t__u32 queue = ctx->rx_queue_index;"
    r2 = *(u32 *)(r6 + 16) @core(field_byte_offset, struct xdp_md, "0:4")    ; xdp_md.rx_queue_index
    .let queue = r2
    .loc 35 6 "\tif (queue > 3)"
    if w2 > 3 goto .L19
    .loc 37 2 "\tvalue[queue] += 1;"
    r2 <<= 3
    .unlet queue = r2
    r0 += r2
    .unlet value = r0
    .loc 37 15 "\tvalue[queue] += 1;"
    r1 = *(u64 *)(r0 + 0)
    r1 += 1
    *(u64 *)(r0 + 0) = r1
    w1 = 2
.L19:
    .loc 39 1 "}"
    w0 = w1
    exit

.types
typedef unsigned int __u32;
typedef unsigned long long __u64;
struct xdp_md {
    __u32 data;
    __u32 data_end;
    __u32 data_meta;
    __u32 ingress_ifindex;
    __u32 rx_queue_index;
    __u32 egress_ifindex;
};
