"""Packets and bytes per protocol and per source; every packet passes."""

from __future__ import annotations

from beebox import (
    Global,
    PerCpuArray,
    PerCpuHash,
    XdpAction,
    XdpContext,
    atomic,
    struct,
    u32,
    u64,
    xdp,
)
from beebox.lib.net import ETH_P_IP, ETH_P_IPV6, ethhdr, iphdr, ipv6hdr


@struct
class Counter:
    """Packets and bytes."""

    packets: u64
    bytes: u64


protocols = PerCpuArray[Counter](max_entries=256)  # by IP protocol number
talkers = PerCpuHash[u64, Counter](max_entries=8192)  # by IPv4 address or IPv6 /64
total = Global(u64(0))
other = Global(u64(0))  # neither IPv4 nor IPv6, or cut short


def count(protocol: u32, source: u64, length: u32) -> None:
    """Add a packet to both tables."""
    counter = protocols[protocol]
    if counter is not None:
        counter.packets += 1
        counter.bytes += length
    talker = talkers[source]
    if talker is None:
        talkers[source] = Counter(packets=1, bytes=length)
    else:
        talker.packets += 1
        talker.bytes += length


@xdp
def count_packets(ctx: XdpContext) -> XdpAction:
    """Count a packet."""
    atomic(total).value += 1
    eth = ctx.packet(ethhdr)
    if eth is not None and eth.h_proto == ETH_P_IP:
        ip = ctx.packet(iphdr, 14)
        if ip is not None:
            count(ip.protocol, ip.saddr, ctx.length)
            return XdpAction.PASS
    if eth is not None and eth.h_proto == ETH_P_IPV6:
        ip6 = ctx.packet(ipv6hdr, 14)
        if ip6 is not None:
            count(ip6.nexthdr, ip6.saddr.high, ctx.length)
            return XdpAction.PASS
    atomic(other).value += 1
    return XdpAction.PASS
