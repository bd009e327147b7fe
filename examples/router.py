"""An IPv4 router on XDP: the kernel's routes, asked with ``bpf_fib_lookup``.

Packets that have a route and a known neighbour leave at once, with their link addresses changed and
their time to live counted down; all others go up to the kernel, which can do more.

    beebox replay --network examples/router.net examples/router.py examples/capture.pcap
"""

from __future__ import annotations

from beebox import (
    Array,
    XdpAction,
    XdpContext,
    atomic,
    bpf_fib_lookup,
    fib_lookup,
    redirect,
    struct,
    u16,
    u32,
    u64,
    xdp,
    zeroed,
)
from beebox.lib.flags import BPF_FIB_LKUP_RET_SUCCESS
from beebox.lib.net import ETH_P_IP, ethhdr, iphdr

AF_INET = 2


@struct
class Lookups:
    """How many packets had one result."""

    packets: u64


results = Array[Lookups](max_entries=10)  # by BPF_FIB_LKUP_RET_*


@xdp
def route(ctx: XdpContext) -> XdpAction:
    """Send a packet where its destination's route leads."""
    eth = ctx.packet(ethhdr)
    if eth is None or eth.h_proto != ETH_P_IP:
        return XdpAction.PASS
    ip = ctx.packet(iphdr, 14)
    if ip is None or ip.ttl <= 1:
        return XdpAction.PASS
    ask = zeroed(bpf_fib_lookup)
    ask.family = AF_INET
    ask.tos = ip.tos
    ask.l4_protocol = ip.protocol
    ask.tot_len = ip.tot_len
    ask.ipv4_src = ip.saddr
    ask.ipv4_dst = ip.daddr
    ask.ifindex = ctx.ingress_ifindex
    result = fib_lookup(ctx, ask, 0)
    seen = results[u32(result)]
    if seen is not None:
        atomic(seen).packets += 1
    if result != BPF_FIB_LKUP_RET_SUCCESS:
        return XdpAction.PASS
    check = u32(ip.check) + 0x100  # one hop less, in the upper half of its word
    ip.check = u16(check + (check >> 16))
    ip.ttl -= 1
    for i in range(6):
        eth.h_dest[i] = ask.dmac[i]
        eth.h_source[i] = ask.smac[i]
    return XdpAction(redirect(ask.ifindex, 0))
