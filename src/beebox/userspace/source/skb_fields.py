"""Helpers for an skb's hash, type, time, congestion mark and device, with Linux's results."""

from __future__ import annotations

from typing import Final

from beebox.compiler.dialect import (
    cold,
    export,
    i64,
    inline,
    load_ptr,
    load_u8,
    load_u16,
    load_u32,
    load_u64,
    ptr,
    store_u8,
    store_u16,
    store_u32,
    store_u64,
    u8,
    u16,
    u32,
    u64,
)
from beebox.userspace.source.mtu import FRAG_NEEDED, check
from beebox.userspace.source.skb import (
    CHECKSUM_COMPLETE,
    CSUM,
    DATA_END,
    EINVAL,
    EOPNOTSUPP,
    ETH_HLEN,
    ETH_P_IP,
    ETH_P_IPV6,
    HASH,
    HASH_KIND,
    IFINDEX,
    IP_SUMMED,
    IPV4_BYTES,
    IPV6_BYTES,
    MAC_BYTES,
    NETWORK_HEADER,
    PKT_TYPE,
    TSTAMP,
    TSTAMP_TYPE,
    VLAN_HLEN,
    clear_hash,
    data_of,
    is_gso,
    len_of,
    linear_of,
    protocol_of,
)
from beebox.userspace.source.skb_checksum import add16
from beebox.userspace.source.skb_vlan import is_vlan
from beebox.userspace.source.sums import add, subtract

KNOWN: Final = 1  # a hash that is not to be made anew
PACKET_OTHERHOST: Final = 3
CLOCK_REALTIME: Final = 0
CLOCK_TAI: Final = 2
ECN: Final = 3
MAX_TAGS: Final = 8
MTU_SEGS: Final = 1
SEGS_TOOBIG: Final = 2
ROOT_CGROUP: Final = 1
SOCKET_COOKIE: Final = 1
NETNS_COOKIE: Final = 1
GOLDEN: Final = 0x9E37_79B1


@export
@cold
def set_hash(rt: ptr, ctx: ptr, value: i64) -> i64:
    """Say what the packet's hash is."""
    store_u32(ctx + HASH, u32(value))
    store_u32(ctx + HASH_KIND, KNOWN)
    return i64(0)


@export
@cold
def set_hash_invalid(rt: ptr, ctx: ptr) -> i64:
    """Forget the hash: the next who asks for it makes a new one."""
    clear_hash(ctx)
    return i64(0)


@inline
def mix(total: u32, word: u32) -> u32:
    """One word into a hash."""
    total = (total ^ word) * GOLDEN
    return total ^ (total >> 15)


@inline
def flow_hash(ctx: ptr) -> u32:
    """Of addresses, protocol and ports, where IPv4 or IPv6 has them; ours, Linux's is secret."""
    total = mix(0, protocol_of(ctx))
    network = load_ptr(ctx + NETWORK_HEADER)
    room = i64(load_u64(ctx + DATA_END)) - i64(load_u64(ctx + NETWORK_HEADER))
    at = u64(0)
    end = u64(0)
    kind = u8(0)
    header = u64(0)
    if protocol_of(ctx) == ETH_P_IP and room >= IPV4_BYTES:
        at = u64(12)
        end = u64(20)
        kind = load_u8(network + 9)
        header = u64(load_u8(network) & 15) * 4
    elif protocol_of(ctx) == ETH_P_IPV6 and room >= IPV6_BYTES:
        at = u64(8)
        end = u64(40)
        kind = load_u8(network + 6)
        header = u64(IPV6_BYTES)
    while at < end:
        total = mix(total, load_u32(network + at))
        at += 4
    total = mix(total, u32(kind))
    if kind == 6 or kind == 17:
        if room >= i64(header) + 4:
            total = mix(total, load_u32(network + header))
    if total == 0:
        return u32(1)
    return total


@export
@cold
def get_hash_recalc(rt: ptr, ctx: ptr) -> i64:
    """The packet's hash, made of its flow where there is none."""
    if load_u32(ctx + HASH_KIND) == 0:
        store_u32(ctx + HASH, flow_hash(ctx))
        store_u32(ctx + HASH_KIND, KNOWN)
    return i64(load_u32(ctx + HASH))


@export
@cold
def skb_change_type(rt: ptr, ctx: ptr, kind: i64) -> i64:
    """Say to whom the packet is."""
    if load_u32(ctx + PKT_TYPE) > PACKET_OTHERHOST or u32(kind) > PACKET_OTHERHOST:
        return i64(-EINVAL)
    store_u32(ctx + PKT_TYPE, u32(kind))
    return i64(0)


@export
@cold
def skb_set_tstamp(rt: ptr, ctx: ptr, time: i64, clock: i64) -> i64:
    """Set the packet's time and its clock, for IP alone."""
    protocol = protocol_of(ctx)
    if protocol != ETH_P_IP and protocol != ETH_P_IPV6:
        return i64(-EOPNOTSUPP)
    kind = u32(clock)
    if kind > CLOCK_TAI or (kind != CLOCK_REALTIME and time == 0):
        return i64(-EINVAL)
    store_u64(ctx + TSTAMP, u64(time))
    store_u8(ctx + TSTAMP_TYPE, u8(kind))
    return i64(0)


@inline
def inner_protocol(ctx: ptr) -> u32:
    """The protocol behind all VLAN tags in the packet; vlan_get_protocol."""
    kind = protocol_of(ctx)
    if not is_vlan(kind):
        return kind
    at = u64(ETH_HLEN)
    if load_u32(ctx + MAC_BYTES) != 0:
        at = u64(load_u32(ctx + MAC_BYTES)) - VLAN_HLEN
    left = u32(MAX_TAGS)
    while is_vlan(kind):
        left -= 1
        if at + VLAN_HLEN > len_of(ctx) or left == 0:
            return u32(0)
        kind = u32(load_u16(data_of(ctx) + at + 2))
        at += VLAN_HLEN
    return kind


@export
@cold
def skb_ecn_set_ce(rt: ptr, ctx: ptr) -> i64:
    """Mark congestion in the IP header; 1 where it is marked."""
    kind = inner_protocol(ctx)
    network = load_ptr(ctx + NETWORK_HEADER)
    room = i64(load_u64(ctx + DATA_END)) - i64(load_u64(ctx + NETWORK_HEADER))
    if kind == ETH_P_IP and linear_of(ctx) >= IPV4_BYTES and room >= IPV4_BYTES:
        tos = load_u8(network + 1)
        mark = u16((tos + 1) & ECN)
        if mark & 2 == 0:
            return i64(1) if mark == 0 else i64(0)
        less = u16(0xFBFF) + u16(mark << 8)  # network order
        store_u16(network + 10, add16(load_u16(network + 10), less))
        store_u8(network + 1, tos | ECN)
        return i64(1)
    if kind == ETH_P_IPV6 and linear_of(ctx) >= IPV6_BYTES and room >= IPV6_BYTES:
        low = load_u8(network + 1)
        if low & 0x30 == 0:
            return i64(0)
        old = load_u32(network)
        store_u8(network + 1, low | 0x30)
        if load_u32(ctx + IP_SUMMED) == CHECKSUM_COMPLETE:
            total = subtract(load_u32(ctx + CSUM), old)
            store_u32(ctx + CSUM, add(total, load_u32(network)))
        return i64(1)
    return i64(0)


@export
@cold
def check_mtu(rt: ptr, ctx: ptr, ifindex: i64, length: ptr, diff: i64, flags: i64) -> i64:
    """Whether the packet fits its device; writes the device's MTU."""
    if u64(flags) & u64(~MTU_SEGS) != 0:
        return i64(-EINVAL)
    if u64(flags) == MTU_SEGS and (u32(diff) != 0 or load_u32(length) != 0):
        return i64(-EINVAL)
    device = u32(ifindex)
    if device == 0:
        device = load_u32(ctx + IFINDEX)
    fits = check(rt, device, length, u32(len_of(ctx)), u32(diff))
    if fits == FRAG_NEEDED and is_gso(ctx):
        return i64(SEGS_TOOBIG) if u64(flags) == MTU_SEGS else i64(0)
    return fits


@export
@cold
def skb_cgroup_classid(rt: ptr, ctx: ptr) -> i64:
    """The same of the packet's socket."""
    return i64(0)


@export
@cold
def get_route_realm(rt: ptr, ctx: ptr) -> i64:
    """No route has a realm here."""
    return i64(0)


@export
@cold
def skb_cgroup_id(rt: ptr, ctx: ptr) -> i64:
    """The packet's socket, as everything here, is in the root cgroup."""
    return i64(ROOT_CGROUP)


@export
@cold
def skb_ancestor_cgroup_id(rt: ptr, ctx: ptr, level: i64) -> i64:
    """The root cgroup is at level 0; there are no others."""
    return i64(ROOT_CGROUP) if u32(level) == 0 else i64(0)


@export
@cold
def get_socket_cookie(rt: ptr, ctx: ptr) -> i64:
    """There is one socket, of the test run."""
    return i64(SOCKET_COOKIE)


@export
@cold
def get_socket_uid(rt: ptr, ctx: ptr) -> i64:
    """The socket is root's."""
    return i64(0)


@export
@cold
def get_netns_cookie(rt: ptr, ctx: ptr) -> i64:
    """There is one network namespace."""
    return i64(NETNS_COOKIE)
