.license "GPL"

.section "cgroup_skb/ingress"

.globl bad
.proto int bad(struct __sk_buff *skb)
bad:
    .let skb = r1
    .loc "return-range.c" 9 14 "\treturn skb->len;"
    r0 = *(u32 *)(r1 + 0) @core(field_byte_offset, struct __sk_buff, "0:0")    ; __sk_buff.len
    .loc 9 2 "\treturn skb->len;"
    exit

.globl good
.proto int good(struct __sk_buff *skb)
good:
    .let skb = r1
    .loc "return-range.c" 15 14 "\treturn skb->len > 1000;"
    r1 = *(u32 *)(r1 + 0) @core(field_byte_offset, struct __sk_buff, "0:0")    ; __sk_buff.len
    .unlet skb = r1
    w0 = 1
    .loc 15 18 "\treturn skb->len > 1000;"
    if w1 > 1000 goto .L4
    w0 = 0
.L4:
    .loc 15 2 "\treturn skb->len > 1000;"
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
