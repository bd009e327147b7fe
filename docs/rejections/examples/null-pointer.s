.license "GPL"
.map counts hash key=__u32 value=__u64[4] max_entries=16

.section "xdp"

.globl bad
.proto int bad(struct xdp_md *ctx)
bad:
    .let ctx = r1
    .let key = r10 - 4
    .loc "null-pointer.c" 16 19 "\t__u32 key = ctx->ingress_ifindex;"
    r1 = *(u32 *)(r1 + 12) @core(field_byte_offset, struct xdp_md, "0:3")    ; xdp_md.ingress_ifindex
    .unlet ctx = r1
    .loc 16 8 "\t__u32 key = ctx->ingress_ifindex;"
    *(u32 *)(r10 - 4) = r1
    r2 = r10
    r2 += -4
    .loc 17 17 "\t__u64 *value = bpf_map_lookup_elem(&counts, &key);"
    r1 = map[counts] ll
    call bpf_map_lookup_elem#1
    .let value = r0
    .loc 18 11 "\tvalue[0] += 1;"
    r1 = *(u64 *)(r0 + 0)
    r1 += 1
    *(u64 *)(r0 + 0) = r1
    .loc 19 2 "\treturn XDP_PASS;"
    w0 = 2
    .unlet value = r0
    exit

.globl good
.proto int good(struct xdp_md *ctx)
good:
    .let ctx = r1
    .let key = r10 - 4
    .loc "null-pointer.c" 25 19 "\t__u32 key = ctx->ingress_ifindex;"
    r1 = *(u32 *)(r1 + 12) @core(field_byte_offset, struct xdp_md, "0:3")    ; xdp_md.ingress_ifindex
    .unlet ctx = r1
    .loc 25 8 "\t__u32 key = ctx->ingress_ifindex;"
    *(u32 *)(r10 - 4) = r1
    r2 = r10
    r2 += -4
    .loc 26 17 "\t__u64 *value = bpf_map_lookup_elem(&counts, &key);"
    r1 = map[counts] ll
    call bpf_map_lookup_elem#1
    .let value = r0
    .loc 27 6 "\tif (value)"
    if r0 == 0 goto .L11
    .loc 28 12 "\t\tvalue[0] += 1;"
    r1 = *(u64 *)(r0 + 0)
    r1 += 1
    *(u64 *)(r0 + 0) = r1
.L11:
    .loc 29 2 "\treturn XDP_PASS;"
    w0 = 2
    .unlet value = r0
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
