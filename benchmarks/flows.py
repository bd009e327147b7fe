"""What `benchmarks/replay.py` measures: parse a packet and count its flow in a hash.

``count_`` programs read packets of many flows. ``cycle_`` programs make the flows themselves, for
test runs, which repeat one frame: each run leaves the next flow's address in it.
"""

from __future__ import annotations

from typing import Final

from beebox import Hash, PerCpuHash, XdpAction, XdpContext, be16, struct, u32, u64, xdp
from beebox.lib.net import ETH_P_IP, IPPROTO_UDP, ethhdr, iphdr

FIRST: Final = 0x0A00_0000  # 10.0.0.0
FLOWS: Final = 10_000


@struct
class Ports:
    """The first four bytes of a UDP header."""

    source: be16
    dest: be16


@struct
class Flow:
    """Addresses, ports and protocol in 16 bytes."""

    addresses: u64
    rest: u64


@struct
class Counter:
    """Packets and bytes."""

    packets: u64
    bytes: u64


pairs = Hash[u64, Counter](max_entries=16_384)  # by both addresses
flows = Hash[Flow, Counter](max_entries=16_384)
pairs_per_cpu = PerCpuHash[u64, Counter](max_entries=16_384)


@xdp
def count_pairs(ctx: XdpContext) -> XdpAction:
    """Count a packet by its addresses."""
    eth = ctx.packet(ethhdr)
    if eth is None or eth.h_proto != ETH_P_IP:
        return XdpAction.PASS
    ip = ctx.packet(iphdr, 14)
    if ip is None:
        return XdpAction.PASS
    pair = (u64(ip.saddr) << 32) | u64(ip.daddr)
    seen = pairs[pair]
    if seen is None:
        pairs[pair] = Counter(packets=1, bytes=ctx.length)
    else:
        seen.packets += 1
        seen.bytes += ctx.length
    return XdpAction.DROP


@xdp
def count_pairs_per_cpu(ctx: XdpContext) -> XdpAction:
    """The same, each CPU for itself."""
    eth = ctx.packet(ethhdr)
    if eth is None or eth.h_proto != ETH_P_IP:
        return XdpAction.PASS
    ip = ctx.packet(iphdr, 14)
    if ip is None:
        return XdpAction.PASS
    pair = (u64(ip.saddr) << 32) | u64(ip.daddr)
    seen = pairs_per_cpu[pair]
    if seen is None:
        pairs_per_cpu[pair] = Counter(packets=1, bytes=ctx.length)
    else:
        seen.packets += 1
        seen.bytes += ctx.length
    return XdpAction.DROP


@xdp
def count_flows(ctx: XdpContext) -> XdpAction:
    """Count a packet by addresses, ports and protocol."""
    eth = ctx.packet(ethhdr)
    if eth is None or eth.h_proto != ETH_P_IP:
        return XdpAction.PASS
    ip = ctx.packet(iphdr, 14)
    if ip is None or ip.protocol != IPPROTO_UDP:
        return XdpAction.PASS
    ports = ctx.packet(Ports, 34)
    if ports is None:
        return XdpAction.PASS
    both = (u64(u32(ports.source)) << 16) | u64(u32(ports.dest))
    flow = Flow(
        addresses=(u64(ip.saddr) << 32) | u64(ip.daddr),
        rest=(both << 32) | u64(u32(ip.protocol)),
    )
    seen = flows[flow]
    if seen is None:
        flows[flow] = Counter(packets=1, bytes=ctx.length)
    else:
        seen.packets += 1
        seen.bytes += ctx.length
    return XdpAction.DROP


@xdp
def cycle_pairs(ctx: XdpContext) -> XdpAction:
    """As ``count_pairs``, the flows one after the other."""
    eth = ctx.packet(ethhdr)
    if eth is None or eth.h_proto != ETH_P_IP:
        return XdpAction.PASS
    ip = ctx.packet(iphdr, 14)
    if ip is None:
        return XdpAction.PASS
    source = u32(ip.saddr)
    pair = (u64(source) << 32) | u64(ip.daddr)
    ip.saddr = FIRST if source >= FIRST + FLOWS - 1 else source + 1
    seen = pairs[pair]
    if seen is None:
        pairs[pair] = Counter(packets=1, bytes=ctx.length)
    else:
        seen.packets += 1
        seen.bytes += ctx.length
    return XdpAction.DROP


@xdp
def cycle_flows(ctx: XdpContext) -> XdpAction:
    """As ``count_flows``, the flows one after the other."""
    eth = ctx.packet(ethhdr)
    if eth is None or eth.h_proto != ETH_P_IP:
        return XdpAction.PASS
    ip = ctx.packet(iphdr, 14)
    if ip is None or ip.protocol != IPPROTO_UDP:
        return XdpAction.PASS
    ports = ctx.packet(Ports, 34)
    if ports is None:
        return XdpAction.PASS
    source = u32(ip.saddr)
    both = (u64(u32(ports.source)) << 16) | u64(u32(ports.dest))
    flow = Flow(
        addresses=(u64(source) << 32) | u64(ip.daddr),
        rest=(both << 32) | u64(u32(ip.protocol)),
    )
    ip.saddr = FIRST if source >= FIRST + FLOWS - 1 else source + 1
    seen = flows[flow]
    if seen is None:
        flows[flow] = Counter(packets=1, bytes=ctx.length)
    else:
        seen.packets += 1
        seen.bytes += ctx.length
    return XdpAction.DROP
