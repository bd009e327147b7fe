.license "GPL"

.section "xdp"

.globl bad
.proto int bad(struct xdp_md *ctx)
bad:
    .let ctx = r1
    .loc "packet-bounds.c" 8 0 "int bad(struct xdp_md *ctx)"
    w0 = 2
    .loc 11 38 "\tvoid *data_end = (void *)(long)ctx->data_end;"
    r2 = *(u32 *)(r1 + 4) @core(field_byte_offset, struct xdp_md, "0:1")    ; xdp_md.data_end
    .let data_end = r2
    .loc 10 34 "\tvoid *data = (void *)(long)ctx->data;"
    r3 = *(u32 *)(r1 + 0) @core(field_byte_offset, struct xdp_md, "0:0")    ; xdp_md.data
    .let data = r3
    .let eth = r3
    .loc 14 19 "\tif ((void *)(eth + 1) > data_end)"
    r1 = r3
    .unlet ctx = r1
    r1 += 14
    .loc 14 6 "\tif ((void *)(eth + 1) > data_end)"
    if r1 > r2 goto .L18
    .let ip = r1
    .loc 16 11 "\tif (eth->h_proto != bpf_htons(0x0800))"
    r4 = *(u16 *)(r3 + 12) @core(field_byte_offset, struct ethhdr, "0:2")    ; ethhdr.h_proto
    .loc 16 6 "\tif (eth->h_proto != bpf_htons(0x0800))"
    if w4 != 8 goto .L18
    r3 += 34
    .unlet data = r3
    .unlet eth = r3
    if r3 > r2 goto .L18
    .loc 21 40 "\tstruct tcphdr *tcp = (void *)ip + ip->ihl * 4;"
    r2 = *(u8 *)(r1 + 0) @core(field_byte_offset, struct iphdr, "0:0")    ; iphdr.ihl
    .unlet data_end = r2
    .loc 21 44 "\tstruct tcphdr *tcp = (void *)ip + ip->ihl * 4;"
    r2 <<= 2
    r2 &= 60
    .loc 21 34 "\tstruct tcphdr *tcp = (void *)ip + ip->ihl * 4;"
    r1 += r2
    .unlet ip = r1
    .let tcp = r1
    .loc 22 11 "\tif (tcp->dest == bpf_htons(80))"
    r1 = *(u16 *)(r1 + 2) @core(field_byte_offset, struct tcphdr, "0:1")    ; tcphdr.dest
    .unlet tcp = r1
    w0 = 1
    if w1 == 20480 goto .L18
    w0 = 2
.L18:
    .loc 25 1 "}"
    exit

.globl good
.proto int good(struct xdp_md *ctx)
good:
    .let ctx = r1
    .loc "packet-bounds.c" 28 0 "int good(struct xdp_md *ctx)"
    w0 = 2
    .loc 31 38 "\tvoid *data_end = (void *)(long)ctx->data_end;"
    r2 = *(u32 *)(r1 + 4) @core(field_byte_offset, struct xdp_md, "0:1")    ; xdp_md.data_end
    .let data_end = r2
    .loc 30 34 "\tvoid *data = (void *)(long)ctx->data;"
    r3 = *(u32 *)(r1 + 0) @core(field_byte_offset, struct xdp_md, "0:0")    ; xdp_md.data
    .let data = r3
    .let eth = r3
    .loc 34 19 "\tif ((void *)(eth + 1) > data_end)"
    r1 = r3
    .unlet ctx = r1
    r1 += 14
    .loc 34 6 "\tif ((void *)(eth + 1) > data_end)"
    if r1 > r2 goto .L21
    .let ip = r1
    .loc 36 11 "\tif (eth->h_proto != bpf_htons(0x0800))"
    r4 = *(u16 *)(r3 + 12) @core(field_byte_offset, struct ethhdr, "0:2")    ; ethhdr.h_proto
    .loc 36 6 "\tif (eth->h_proto != bpf_htons(0x0800))"
    if w4 != 8 goto .L21
    r3 += 34
    .unlet data = r3
    .unlet eth = r3
    if r3 > r2 goto .L21
    .loc 41 40 "\tstruct tcphdr *tcp = (void *)ip + ip->ihl * 4;"
    r3 = *(u8 *)(r1 + 0) @core(field_byte_offset, struct iphdr, "0:0")    ; iphdr.ihl
    .loc 41 44 "\tstruct tcphdr *tcp = (void *)ip + ip->ihl * 4;"
    r3 <<= 2
    r3 &= 60
    .loc 41 34 "\tstruct tcphdr *tcp = (void *)ip + ip->ihl * 4;"
    r1 += r3
    .unlet ip = r1
    .let tcp = r1
    .loc 42 19 "\tif ((void *)(tcp + 1) > data_end)"
    r3 = r1
    r3 += 20
    .loc 42 6 "\tif ((void *)(tcp + 1) > data_end)"
    if r3 > r2 goto .L21
    .loc 44 11 "\tif (tcp->dest == bpf_htons(80))"
    r1 = *(u16 *)(r1 + 2) @core(field_byte_offset, struct tcphdr, "0:1")    ; tcphdr.dest
    .unlet tcp = r1
    w0 = 1
    if w1 == 20480 goto .L21
    w0 = 2
.L21:
    .loc 47 1 "}"
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
struct ethhdr {
    unsigned char h_dest[6];
    unsigned char h_source[6];
    __be16 h_proto;
};
typedef __u16 __be16;
typedef unsigned short __u16;
struct iphdr {
    __u8 ihl : 4;
    __u8 version : 4;
    __u8 tos;
    __be16 tot_len;
    __be16 id;
    __be16 frag_off;
    __u8 ttl;
    __u8 protocol;
    __sum16 check;
    union {
        struct {
            __be32 saddr;
            __be32 daddr;
        };
        struct {
            __be32 saddr;
            __be32 daddr;
        } addrs;
    };
};
typedef unsigned char __u8;
typedef __u16 __sum16;
typedef __u32 __be32;
struct tcphdr {
    __be16 source;
    __be16 dest;
    __be32 seq;
    __be32 ack_seq;
    __u16 ae : 1;
    __u16 res1 : 3;
    __u16 doff : 4;
    __u16 fin : 1;
    __u16 syn : 1;
    __u16 rst : 1;
    __u16 psh : 1;
    __u16 ack : 1;
    __u16 urg : 1;
    __u16 ece : 1;
    __u16 cwr : 1;
    __be16 window;
    __sum16 check;
    __be16 urg_ptr;
};
