.license "GPL"

.section "tc"

.globl bad
.proto int bad(struct __sk_buff *skb)
bad:
    .let skb = r1
    .let room = r10 - 64
    .loc "argument-size.c" 7 0 "int bad(struct __sk_buff *skb)"
    r2 = 0
    .loc 9 7 "\tchar room[64] = {};"
    *(u64 *)(r10 - 8) = r2
    *(u64 *)(r10 - 16) = r2
    *(u64 *)(r10 - 24) = r2
    *(u64 *)(r10 - 32) = r2
    *(u64 *)(r10 - 40) = r2
    *(u64 *)(r10 - 48) = r2
    *(u64 *)(r10 - 56) = r2
    *(u64 *)(r10 - 64) = r2
    .loc 10 20 "\t__u32 size = skb->len;"
    r4 = *(u32 *)(r1 + 0) @core(field_byte_offset, struct __sk_buff, "0:0")    ; __sk_buff.len
    .let size = r4
    w6 = 0
    r3 = r10
    r3 += -64
    .loc 12 9 "\treturn bpf_skb_load_bytes(skb, 0, room, size) < 0 ? 0 : room[0];"
    w2 = 0
    call bpf_skb_load_bytes#26
    .unlet skb = r1
    .unlet size = r4
    if r0 s< 0 goto .L19
    r6 = *(u8 *)(r10 - 64)
    w6 <<= 24
    w6 s>>= 24
.L19:
    .loc 12 2 "\treturn bpf_skb_load_bytes(skb, 0, room, size) < 0 ? 0 : room[0];"
    w0 = w6
    exit

.globl good
.proto int good(struct __sk_buff *skb)
good:
    .let skb = r1
    .let room = r10 - 64
    .loc "argument-size.c" 16 0 "int good(struct __sk_buff *skb)"
    r2 = 0
    .loc 18 7 "\tchar room[64] = {};"
    *(u64 *)(r10 - 8) = r2
    *(u64 *)(r10 - 16) = r2
    *(u64 *)(r10 - 24) = r2
    *(u64 *)(r10 - 32) = r2
    *(u64 *)(r10 - 40) = r2
    *(u64 *)(r10 - 48) = r2
    *(u64 *)(r10 - 56) = r2
    *(u64 *)(r10 - 64) = r2
    w6 = 0
    .loc 19 20 "\t__u32 size = skb->len;"
    r4 = *(u32 *)(r1 + 0) @core(field_byte_offset, struct __sk_buff, "0:0")    ; __sk_buff.len
    .let size = r4
    .loc 21 7 "\tsize &= sizeof(room) - 1;"
    w4 &= 63
    .loc 22 6 "\tif (size == 0)"
    if w4 == 0 goto .L21
    r3 = r10
    r3 += -64
    .loc 24 9 "\treturn bpf_skb_load_bytes(skb, 0, room, size) < 0 ? 0 : room[0];"
    w2 = 0
    call bpf_skb_load_bytes#26
    .unlet skb = r1
    .unlet size = r4
    if r0 s< 0 goto .L21
    r6 = *(u8 *)(r10 - 64)
    w6 <<= 24
    w6 s>>= 24
.L21:
    .loc 25 1 "}"
    w0 = w6
    exit

.types
struct __sk_buff {
    __u32 len;
    __u32 pkt_type;
    __u32 mark;
    __u32 queue_mapping;
    __u32 protocol;
    __u32 vlan_present;
    __u32 vlan_tci;
    __u32 vlan_proto;
    __u32 priority;
    __u32 ingress_ifindex;
    __u32 ifindex;
    __u32 tc_index;
    __u32 cb[5];
    __u32 hash;
    __u32 tc_classid;
    __u32 data;
    __u32 data_end;
    __u32 napi_id;
    __u32 family;
    __u32 remote_ip4;
    __u32 local_ip4;
    __u32 remote_ip6[4];
    __u32 local_ip6[4];
    __u32 remote_port;
    __u32 local_port;
    __u32 data_meta;
    union {
        struct bpf_flow_keys *flow_keys;
    };
    __u64 tstamp;
    __u32 wire_len;
    __u32 gso_segs;
    union {
        struct bpf_sock *sk;
    };
    __u32 gso_size;
    __u8 tstamp_type;
    __u64 hwtstamp;
};
typedef unsigned int __u32;
typedef unsigned long long __u64;
typedef unsigned char __u8;
