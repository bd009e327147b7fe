.license "GPL"
.map protocols percpu_array key=4 value=16 max_entries=256
.map talkers percpu_hash key=8 value=16 max_entries=8192
.data .bss size=16

.text

count:
    ; examples/count.py:34: def count(protocol: u32, source: u64, length: u32) -> None:
    w7 = w3
    r6 = r2
    ; examples/count.py:36: counter = protocols[protocol]
    *(u32 *)(r10 - 24) = r1
    r2 = r10
    r2 += -24
    r1 = map[protocols] ll
    call bpf_map_lookup_elem#1
    ; examples/count.py:37: if counter is not None:
    if r0 != 0 goto .L11
    w7 = w7
    goto .L18
.L11:
    ; examples/count.py:38: counter.packets += 1
    r1 = *(u64 *)(r0 + 0)
    r1 += 1
    *(u64 *)(r0 + 0) = r1
    ; examples/count.py:39: counter.bytes += length
    w7 = w7
    ; examples/count.py:39: counter.bytes += length
    r1 = *(u64 *)(r0 + 8)
    r1 += r7
    *(u64 *)(r0 + 8) = r1
.L18:
    ; examples/count.py:40: talker = talkers[source]
    *(u64 *)(r10 - 8) = r6
    r2 = r10
    r2 += -8
    r1 = map[talkers] ll
    call bpf_map_lookup_elem#1
    ; examples/count.py:41: if talker is None:
    if r0 != 0 goto .L38
    ; examples/count.py:42: talkers[source] = Counter(packets=1, bytes=length)
    *(u64 *)(r10 - 8) = r6
    *(u64 *)(r10 - 16) = r7
    r1 = 1
    *(u64 *)(r10 - 24) = r1
    r2 = r10
    r2 += -8
    r3 = r10
    r3 += -24
    r1 = map[talkers] ll
    r4 = 0
    call bpf_map_update_elem#2
    ; examples/count.py:41: if talker is None:
    goto .L44
.L38:
    ; examples/count.py:44: talker.packets += 1
    r1 = *(u64 *)(r0 + 0)
    r1 += 1
    *(u64 *)(r0 + 0) = r1
    ; examples/count.py:45: talker.bytes += length
    r1 = *(u64 *)(r0 + 8)
    r1 += r7
    *(u64 *)(r0 + 8) = r1
.L44:
    ; examples/count.py:34: def count(protocol: u32, source: u64, length: u32) -> None:
    exit

.section "xdp"

.globl count_packets
count_packets:
    ; examples/count.py:49: def count_packets(ctx: XdpContext) -> XdpAction:
    r3 = *(u32 *)(r1 + 4)
    r2 = *(u32 *)(r1 + 0)
    r1 = 1
    ; examples/count.py:51: atomic(total).value += 1
    r4 = global[.bss + 0] ll
    r5 = 1
    lock *(u64 *)(r4 + 0) += r5
    ; examples/count.py:52: eth = ctx.packet(ethhdr)
    r4 = r2
    r4 += 14
    ; examples/count.py:53: if eth is not None and eth.h_proto == ETH_P_IP:
    if r4 > r3 goto .L30
    ; examples/count.py:53: if eth is not None and eth.h_proto == ETH_P_IP:
    r4 = *(u16 *)(r2 + 12)
    if w4 != 8 goto .L20
    r5 = r2
    r5 += 34
    if r5 > r3 goto .L20
    ; examples/count.py:56: count(ip.protocol, ip.saddr, ctx.length)
    w3 -= w2
    ; examples/count.py:56: count(ip.protocol, ip.saddr, ctx.length)
    r1 = *(u8 *)(r2 + 23)
    ; examples/count.py:56: count(ip.protocol, ip.saddr, ctx.length)
    r2 = *(u32 *)(r2 + 26)
    r2 = be32 r2
    goto .L28
.L20:
    ; examples/count.py:58: if eth is not None and eth.h_proto == ETH_P_IPV6:
    if w4 != 56710 goto .L30
    r4 = r2
    r4 += 54
    if r4 > r3 goto .L30
    ; examples/count.py:61: count(ip6.nexthdr, ip6.saddr.high, ctx.length)
    w3 -= w2
    ; examples/count.py:61: count(ip6.nexthdr, ip6.saddr.high, ctx.length)
    r1 = *(u8 *)(r2 + 20)
    ; examples/count.py:61: count(ip6.nexthdr, ip6.saddr.high, ctx.length)
    r2 = *(u64 *)(r2 + 22)
    r2 = be64 r2
.L28:
    call count
    ; examples/count.py:57: return XdpAction.PASS
    goto .L33
.L30:
    ; examples/count.py:63: atomic(other).value += 1
    r2 = global[.bss + 8] ll
    lock *(u64 *)(r2 + 0) += r1
.L33:
    ; examples/count.py:49: def count_packets(ctx: XdpContext) -> XdpAction:
    w0 = 2
    exit
