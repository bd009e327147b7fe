"""Source NAT at the edge of a network: inside addresses leave as one public address.

``leave`` (egress) rewrites the source and remembers who asked; ``arrive`` (ingress) rewrites the
destination of answers. Ports are kept: when two hosts use one port to one peer, the later wins.

    beebox replay examples/tc_nat.py:leave examples/capture.pcap
"""

from __future__ import annotations

from typing import Final

from beebox import (
    Constant,
    LruHash,
    SkbContext,
    TcAction,
    be32,
    htonl,
    ipv4,
    l3_csum_replace,
    l4_csum_replace,
    skb_store_bytes,
    struct,
    tcx_egress,
    tcx_ingress,
    u16,
    u32,
    u64,
    zeroed,
)
from beebox.lib.flags import BPF_F_MARK_MANGLED_0, BPF_F_PSEUDO_HDR
from beebox.lib.net import ETH_P_IP, IPPROTO_TCP, IPPROTO_UDP, iphdr, udphdr
from beebox.lib.parse import cursor, parse_ethernet, parse_ip

CHECK: Final = 10  # offset of an IPv4 header's checksum
SADDR: Final = 12
DADDR: Final = 16


@struct
class Peer:
    """The other end of a conversation, as answers show it."""

    address: u32
    port: u16
    our_port: u16


inside = LruHash[Peer, u32](max_entries=65536)  # the inside address behind each conversation
public = Constant(ipv4("192.0.2.1"))
network = Constant(ipv4("10.0.0.0"))  # what is inside
mask = Constant(ipv4("255.0.0.0"))


def parse(ctx: SkbContext, at: cursor) -> bool:
    """Go to the ports of an IPv4 packet; False for all that has none."""
    if not parse_ethernet(ctx, at) or at.protocol != ETH_P_IP or not parse_ip(ctx, at):
        return False
    return at.fragment == 0 and at.protocol in (IPPROTO_TCP, IPPROTO_UDP)


def rewrite(ctx: SkbContext, at: cursor, field: u32, old: u32, new: u32) -> None:
    """Change an address, and the checksums that cover it."""
    if at.protocol == IPPROTO_TCP:
        l4_csum_replace(ctx, at.offset + 16, htonl(old), htonl(new), BPF_F_PSEUDO_HDR | 4)
    else:
        flags = u64(BPF_F_PSEUDO_HDR | BPF_F_MARK_MANGLED_0 | 4)
        l4_csum_replace(ctx, at.offset + 6, htonl(old), htonl(new), flags)
    l3_csum_replace(ctx, at.network + CHECK, htonl(old), htonl(new), 4)
    skb_store_bytes(ctx, at.network + field, be32(new), 0)


@tcx_egress
def leave(ctx: SkbContext) -> TcAction:
    """Show the public address instead of an inside one."""
    at = zeroed(cursor)
    if not parse(ctx, at):
        return TcAction.OK
    ip = ctx.packet(iphdr, at.network)
    ports = ctx.packet(udphdr, at.offset)
    if ip is None or ports is None or ip.saddr & mask.value != network.value:
        return TcAction.OK
    source = ip.saddr
    inside[Peer(address=ip.daddr, port=ports.dest, our_port=ports.source)] = source
    rewrite(ctx, at, SADDR, source, public.value)
    return TcAction.OK


@tcx_ingress
def arrive(ctx: SkbContext) -> TcAction:
    """Send an answer to who asked; what nobody asked for goes on as it is."""
    at = zeroed(cursor)
    if not parse(ctx, at):
        return TcAction.OK
    ip = ctx.packet(iphdr, at.network)
    ports = ctx.packet(udphdr, at.offset)
    if ip is None or ports is None or ip.daddr != public.value:
        return TcAction.OK
    target = inside[Peer(address=ip.saddr, port=ports.source, our_port=ports.dest)]
    if target is not None:
        rewrite(ctx, at, DADDR, public.value, target)
    return TcAction.OK
