"""Parsing from one header to the next, in every hook: a cursor, moved by functions.

Where packets start depends on the hook: at the link header in XDP and tc (:func:`parse_ethernet`
first), at the IP header in cgroup_skb and lwt (:func:`parse_network` first).

    at = zeroed(cursor)
    if parse_ethernet(ctx, at) and parse_ip(ctx, at) and at.protocol == IPPROTO_TCP:
        tcp = ctx.packet(tcphdr, at.offset)
"""

from __future__ import annotations

from beebox.compiler.language import PacketContext, struct, u8, u16, u32
from beebox.lib.net import (
    ETH_P_8021AD,
    ETH_P_8021Q,
    ETH_P_IP,
    ETH_P_IPV6,
    IPPROTO_DSTOPTS,
    IPPROTO_FRAGMENT,
    IPPROTO_HOPOPTS,
    IPPROTO_ROUTING,
    ethhdr,
    ip_fragment_offset,
    ip_header_bytes,
    iphdr,
    ipv6_ext,
    ipv6_frag,
    ipv6hdr,
    vlan_hdr,
)


@struct
class cursor:  # noqa: N801 -- as the headers that it walks over
    """Where the next header starts, and what it is: an ETH_P_* or IPPROTO_* number.

    ``network`` is where the IP header started, once one has been passed.
    """

    offset: u32
    network: u32
    protocol: u16
    fragment: u16  # a later fragment's offset in 8-byte units; such packets have no ports


def parse_ethernet(ctx: PacketContext, at: cursor) -> bool:
    """Pass an Ethernet header and up to two VLAN tags. False where the packet ends before."""
    eth = ctx.packet(ethhdr, at.offset)
    if eth is None:
        return False
    protocol = eth.h_proto
    offset = at.offset + 14
    for _ in range(2):
        if protocol not in (ETH_P_8021Q, ETH_P_8021AD):
            break
        tag = ctx.packet(vlan_hdr, offset)
        if tag is None:
            return False
        protocol = tag.h_vlan_encapsulated_proto
        offset += 4
    at.offset = offset
    at.protocol = protocol
    return True


def parse_network(ctx: PacketContext, at: cursor) -> bool:
    """Where packets start with IP: tell its version. False for anything else."""
    first = ctx.packet(u8, at.offset)
    if first is None:
        return False
    if first >> 4 == 4:
        at.protocol = ETH_P_IP
    elif first >> 4 == 6:
        at.protocol = ETH_P_IPV6
    else:
        return False
    return True


def parse_ip(ctx: PacketContext, at: cursor) -> bool:
    """Pass an IPv4 or IPv6 header, as ``at.protocol`` says, with options and extensions.

    False where the packet ends before, the header is malformed, or it is neither.
    """
    if at.protocol == ETH_P_IP:
        return _parse_ipv4(ctx, at)
    if at.protocol == ETH_P_IPV6:
        return _parse_ipv6(ctx, at)
    return False


def _parse_ipv4(ctx: PacketContext, at: cursor) -> bool:
    ip = ctx.packet(iphdr, at.offset)
    if ip is None:
        return False
    header = ip_header_bytes(ip)
    if header < 20 or ip.version_ihl >> 4 != 4:
        return False
    at.network = at.offset
    at.offset += header
    at.protocol = ip.protocol
    at.fragment = ip_fragment_offset(ip)
    return True


def _parse_ipv6(ctx: PacketContext, at: cursor) -> bool:
    ip = ctx.packet(ipv6hdr, at.offset)
    if ip is None:
        return False
    protocol = ip.nexthdr
    offset = at.offset + 40
    for _ in range(4):
        if protocol == IPPROTO_FRAGMENT:
            fragment = ctx.packet(ipv6_frag, offset)
            if fragment is None:
                return False
            at.fragment = fragment.frag_off >> 3
            protocol = fragment.nexthdr
            offset += 8
        elif protocol in (IPPROTO_HOPOPTS, IPPROTO_ROUTING, IPPROTO_DSTOPTS):
            extension = ctx.packet(ipv6_ext, offset)
            if extension is None:
                return False
            protocol = extension.nexthdr
            offset += (u32(extension.hdrlen) + 1) * 8
        else:
            break
    at.network = at.offset
    at.offset = offset
    at.protocol = protocol
    return True
