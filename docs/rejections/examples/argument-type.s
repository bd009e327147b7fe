.license "GPL"
.map counts hash key=__u32 value=__u64[4] max_entries=16

.section "xdp"

.globl bad
.proto int bad(struct xdp_md *ctx)
bad:
    .let ctx = r1
    .loc "argument-type.c" 14 0 "int bad(struct xdp_md *ctx)"
    r2 = r1
    .unlet ctx = r1
    .let ctx = r2
    .loc 16 17 "\t__u64 *value = bpf_map_lookup_elem(&counts, ctx);"
    r1 = map[counts] ll
    call bpf_map_lookup_elem#1
    .unlet ctx = r2
    r1 = r0
    .let value = r1
    w0 = 1
    .loc 18 9 "\treturn value ? XDP_PASS : XDP_DROP;"
    if r1 == 0 goto .L8
    w0 = 2
.L8:
    .loc 18 2 "\treturn value ? XDP_PASS : XDP_DROP;"
    exit

.globl good
.proto int good(struct xdp_md *ctx)
good:
    .let ctx = r1
    .let key = r10 - 4
    .loc "argument-type.c" 24 19 "\t__u32 key = ctx->ingress_ifindex;"
    r1 = *(u32 *)(r1 + 12) @core(field_byte_offset, struct xdp_md, "0:3")    ; xdp_md.ingress_ifindex
    .unlet ctx = r1
    .loc 24 8 "\t__u32 key = ctx->ingress_ifindex;"
    *(u32 *)(r10 - 4) = r1
    r2 = r10
    r2 += -4
    .loc 25 17 "\t__u64 *value = bpf_map_lookup_elem(&counts, &key);"
    r1 = map[counts] ll
    call bpf_map_lookup_elem#1
    r1 = r0
    .let value = r1
    w0 = 1
    .loc 27 9 "\treturn value ? XDP_PASS : XDP_DROP;"
    if r1 == 0 goto .L11
    w0 = 2
.L11:
    .loc 27 2 "\treturn value ? XDP_PASS : XDP_DROP;"
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
