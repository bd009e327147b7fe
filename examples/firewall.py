"""A firewall: blocked prefixes, open ports, a limit on new connections per source.

Stateless, as a first line of defence is: packets of a TCP connection that exists already pass, and
so do answers from a port that is open here. User space fills the maps and sets the knobs; the
counters say why packets passed or not.

    beebox replay examples/firewall.py capture.pcap
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final

from beebox import (
    Constant,
    Hash,
    PerCpuArray,
    PerCpuHash,
    XdpAction,
    XdpContext,
    atomic,
    ktime_get_ns,
    struct,
    u8,
    u16,
    u32,
    u64,
    xdp,
)
from beebox.lib.net import (
    ETH_P_8021AD,
    ETH_P_8021Q,
    ETH_P_IP,
    ETH_P_IPV6,
    IPPROTO_DSTOPTS,
    IPPROTO_FRAGMENT,
    IPPROTO_HOPOPTS,
    IPPROTO_ROUTING,
    IPPROTO_TCP,
    IPPROTO_UDP,
    TCP_ACK,
    TCP_SYN,
    ethhdr,
    ip_fragment_offset,
    ip_header_bytes,
    iphdr,
    ipv6_ext,
    ipv6_frag,
    ipv6hdr,
    tcphdr,
    udphdr,
    vlan_hdr,
)

DNS: Final = 53
HTTP: Final = 80
HTTPS: Final = 443
SECOND: Final = 1_000_000_000


class Reason(IntEnum):
    """Why a packet passed, or not: the index into ``reasons``."""

    ALLOWED = 0
    NOT_IP = 1
    LATER_FRAGMENT = 2  # has no ports; useless without its first
    BLOCKED = 3
    CLOSED_PORT = 4
    SYN_FLOOD = 5
    TRUNCATED = 6
    MALFORMED = 7


@struct
class Counter:
    """Packets and bytes."""

    packets: u64
    bytes: u64


@struct
class Window:
    """The new connections of one source since ``start_ns``."""

    start_ns: u64
    count: u64


# Keys are prefixes with the host part zero, values count hits. IPv6 keys are the upper 64 bits.
blocked_v4_24 = Hash[u32, u64](max_entries=4096)
blocked_v4_25 = Hash[u32, u64](max_entries=4096)
blocked_v4_32 = Hash[u32, u64](max_entries=16384)
blocked_v6_48 = Hash[u64, u64](max_entries=1024)
blocked_v6_64 = Hash[u64, u64](max_entries=4096)

open_ports = Hash[u16, u8](max_entries=256)  # besides DNS, HTTP and HTTPS
syn_limit = Constant(u64(20))  # new connections per source and second

windows = Hash[u64, Window](max_entries=16384)
talkers = PerCpuHash[u64, Counter](max_entries=8192)  # by IPv4 address or IPv6 /64
reasons = PerCpuArray[Counter](max_entries=8)


def is_open(port: u16) -> bool:
    """Whether others may open connections to a port."""
    return port in (DNS, HTTP, HTTPS) or port in open_ports


def is_flooding(source: u64) -> bool:
    """Count a new connection; whether its source has made too many in this second."""
    now = ktime_get_ns()
    window = windows[source]
    if window is None:
        windows[source] = Window(start_ns=now, count=1)
        return False
    if now - window.start_ns >= SECOND:
        window.start_ns = now
        window.count = 1
        return False
    atomic(window).count += 1
    return window.count > syn_limit.value


def count_talker(source: u64, length: u32) -> None:
    """Add a packet to its source's account."""
    talker = talkers[source]
    if talker is None:
        talkers[source] = Counter(packets=1, bytes=length)
    else:
        talker.packets += 1
        talker.bytes += length


def is_blocked_v4(address: u32) -> bool:
    """Whether an IPv4 address lies in a blocked prefix."""
    if address in blocked_v4_32:
        atomic(blocked_v4_32)[address] += 1
        return True
    if address & 0xFFFFFF80 in blocked_v4_25:
        atomic(blocked_v4_25)[address & 0xFFFFFF80] += 1
        return True
    if address & 0xFFFFFF00 in blocked_v4_24:
        atomic(blocked_v4_24)[address & 0xFFFFFF00] += 1
        return True
    return False


def is_blocked_v6(prefix: u64) -> bool:
    """Whether an IPv6 address, by its upper 64 bits, lies in a blocked prefix."""
    if prefix in blocked_v6_64:
        atomic(blocked_v6_64)[prefix] += 1
        return True
    if prefix & 0xFFFFFFFFFFFF0000 in blocked_v6_48:
        atomic(blocked_v6_48)[prefix & 0xFFFFFFFFFFFF0000] += 1
        return True
    return False


def check_transport(ctx: XdpContext, protocol: u8, offset: u32, source: u64) -> u32:
    """The ports' verdict: new TCP connections and UDP to open ports, and answers from them."""
    if protocol == IPPROTO_TCP:
        tcp = ctx.packet(tcphdr, offset)
        if tcp is None:
            return Reason.TRUNCATED
        if tcp.flags & (TCP_SYN | TCP_ACK) != TCP_SYN:
            return Reason.ALLOWED
        if not is_open(tcp.dest):
            return Reason.CLOSED_PORT
        if is_flooding(source):
            return Reason.SYN_FLOOD
    elif protocol == IPPROTO_UDP:
        udp = ctx.packet(udphdr, offset)
        if udp is None:
            return Reason.TRUNCATED
        if not is_open(udp.dest) and not is_open(udp.source):
            return Reason.CLOSED_PORT
    return Reason.ALLOWED


def check_v4(ctx: XdpContext, offset: u32) -> u32:
    """The verdict on an IPv4 packet."""
    ip = ctx.packet(iphdr, offset)
    if ip is None:
        return Reason.TRUNCATED
    header = ip_header_bytes(ip)
    if header < 20 or ip.version_ihl >> 4 != 4:
        return Reason.MALFORMED
    source = ip.saddr
    count_talker(source, ctx.length)
    if is_blocked_v4(source):
        return Reason.BLOCKED
    if ip_fragment_offset(ip) != 0:
        return Reason.LATER_FRAGMENT
    return check_transport(ctx, ip.protocol, offset + header, source)


def check_v6(ctx: XdpContext, offset: u32) -> u32:
    """The verdict on an IPv6 packet, behind up to four extension headers."""
    ip = ctx.packet(ipv6hdr, offset)
    if ip is None:
        return Reason.TRUNCATED
    source = ip.saddr.high
    count_talker(source, ctx.length)
    if is_blocked_v6(source):
        return Reason.BLOCKED
    protocol = ip.nexthdr
    offset += 40
    for _ in range(4):
        if protocol == IPPROTO_FRAGMENT:
            fragment = ctx.packet(ipv6_frag, offset)
            if fragment is None:
                return Reason.TRUNCATED
            if fragment.frag_off & 0xFFF8 != 0:
                return Reason.LATER_FRAGMENT
            protocol = fragment.nexthdr
            offset += 8
        elif protocol in (IPPROTO_HOPOPTS, IPPROTO_ROUTING, IPPROTO_DSTOPTS):
            extension = ctx.packet(ipv6_ext, offset)
            if extension is None:
                return Reason.TRUNCATED
            protocol = extension.nexthdr
            offset += (u32(extension.hdrlen) + 1) * 8
        else:
            break
    return check_transport(ctx, protocol, offset, source)


def check(ctx: XdpContext) -> u32:
    """The reason to pass or drop a packet, behind up to two VLAN tags."""
    eth = ctx.packet(ethhdr)
    if eth is None:
        return Reason.TRUNCATED
    protocol = eth.h_proto
    offset = u32(14)
    for _ in range(2):
        if protocol not in (ETH_P_8021Q, ETH_P_8021AD):
            break
        tag = ctx.packet(vlan_hdr, offset)
        if tag is None:
            return Reason.TRUNCATED
        protocol = tag.h_vlan_encapsulated_proto
        offset += 4
    if protocol == ETH_P_IP:
        return check_v4(ctx, offset)
    if protocol == ETH_P_IPV6:
        return check_v6(ctx, offset)
    return Reason.NOT_IP


@xdp
def firewall(ctx: XdpContext) -> XdpAction:
    """Pass or drop, and count why."""
    reason = check(ctx)
    counter = reasons[reason]
    if counter is not None:
        counter.packets += 1
        counter.bytes += ctx.length
    if reason <= Reason.LATER_FRAGMENT:
        return XdpAction.PASS
    return XdpAction.DROP
