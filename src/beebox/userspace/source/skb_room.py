"""Helpers that change an skb's length and protocol, as native code with Linux's results.

A packet that stands for several (gso_size from the caller of a test run) has no gso_type here, as
in a test run, so what Linux allows for TCP and UDP segments is refused as it is there.
"""

from __future__ import annotations

from typing import Final

from beebox.compiler.dialect import (
    clear,
    cold,
    export,
    i32,
    i64,
    inline,
    load_u32,
    load_u64,
    move,
    ptr,
    store_u32,
    store_u64,
    u16,
    u32,
    u64,
)
from beebox.userspace.source.skb import (
    CHECKSUM_NONE,
    CHECKSUM_UNNECESSARY,
    CSUM_LEVEL,
    DATA,
    DATA_END,
    EALREADY,
    EFAULT,
    EINVAL,
    ENCAPSULATION,
    ENOMEM,
    ENOTSUPP,
    ETH_HLEN,
    ETH_P_IP,
    ETH_P_IPV6,
    GSO_SEGS,
    GSO_SIZE,
    HEAD_BYTES,
    IP_SUMMED,
    IPV4_BYTES,
    IPV6_BYTES,
    LEN,
    MAC_HEADER,
    MAX_LEN,
    NETWORK_HEADER,
    NOT_SET,
    PROTOCOL,
    TRANSPORT_HEADER,
    clear_hash,
    data_of,
    holds,
    is_gso,
    len_of,
    mac_header_bytes,
    make_headroom,
    make_tailroom,
    network_from_head,
    network_offset,
    no_sum,
    protocol_of,
    pull,
    pull_head,
    push_head,
    reset_mac_len,
    sum_without,
)

ROOM_NET: Final = 0
ROOM_MAC: Final = 1
ENCAP_L3_IPV4: Final = 1 << 1
ENCAP_L3_IPV6: Final = 1 << 2
ENCAP_L4_GRE: Final = 1 << 3
ENCAP_L4_UDP: Final = 1 << 4
NO_CSUM_RESET: Final = 1 << 5
ENCAP_L2_ETH: Final = 1 << 6
DECAP_L3_IPV4: Final = 1 << 7
DECAP_L3_IPV6: Final = 1 << 8
ENCAP_L3: Final = ENCAP_L3_IPV4 | ENCAP_L3_IPV6
DECAP_L3: Final = DECAP_L3_IPV4 | DECAP_L3_IPV6
ENCAP_L2_SHIFT: Final = 56
ROOM_FLAGS: Final = 0x1FF | (0xFF << ENCAP_L2_SHIFT)
SHRINK_FLAGS: Final = 1 | NO_CSUM_RESET | DECAP_L3
MAX_ROOM: Final = 0xFFF


@inline
def move_headers(ctx: ptr, by: u64) -> None:
    """Link and network header go along with the packet's start."""
    store_u64(ctx + MAC_HEADER, load_u64(ctx + MAC_HEADER) + by)
    store_u64(ctx + NETWORK_HEADER, load_u64(ctx + NETWORK_HEADER) + by)


@inline
def transport_is_network(ctx: ptr) -> bool:
    """Whether both headers start at one place."""
    return load_u32(ctx + TRANSPORT_HEADER) == network_from_head(ctx)


def open_gap(ctx: ptr, at: u64, size: u64) -> None:
    """Insert zeros ``at`` bytes into the packet; bpf_skb_net_hdr_push. There is headroom."""
    same = transport_is_network(ctx)
    data = push_head(ctx, size)
    move(data, data + size, at)
    clear(data + at, size)
    move_headers(ctx, 0 - size)
    if same:
        store_u32(ctx + TRANSPORT_HEADER, network_from_head(ctx))


def close_gap(ctx: ptr, at: u64, size: u64) -> i64:
    """Take bytes out of the packet; bpf_skb_net_hdr_pop."""
    if not pull(ctx, u64(u32(at + size))):
        return i64(-ENOMEM)
    same = transport_is_network(ctx)
    old = data_of(ctx)
    sum_without(ctx, old + at, size, 0)
    data = pull_head(ctx, size)
    move(data, old, at)
    move_headers(ctx, size)
    if same:
        store_u32(ctx + TRANSPORT_HEADER, network_from_head(ctx))
    return i64(0)


@export
@cold
def skb_change_proto(rt: ptr, ctx: ptr, protocol: i64, flags: i64) -> i64:
    """From IPv4 to IPv6 or back: room for the header, the rest is the program's."""
    if flags != 0:
        return i64(-EINVAL)
    old = protocol_of(ctx)
    new = u32(u16(protocol))
    at = mac_header_bytes(ctx)
    if old == ETH_P_IP and new == ETH_P_IPV6:
        if not make_headroom(ctx, IPV6_BYTES - IPV4_BYTES):
            return i64(-ENOMEM)
        if not holds(ctx, at):
            return i64(-ENOMEM)
        open_gap(ctx, at, IPV6_BYTES - IPV4_BYTES)
    elif old == ETH_P_IPV6 and new == ETH_P_IP:
        failed = close_gap(ctx, at, IPV6_BYTES - IPV4_BYTES)
        if failed != 0:
            return failed
    else:
        return i64(-ENOTSUPP)
    store_u32(ctx + PROTOCOL, new)
    clear_hash(ctx)
    return i64(0)


@inline
def least_length(ctx: ptr) -> i64:
    """What a packet cannot be cut below; __bpf_skb_min_len."""
    least = i64(0)
    offset = network_offset(ctx)
    if offset > 0:
        least = offset
    transport = load_u32(ctx + TRANSPORT_HEADER)
    if transport != NOT_SET:
        offset = i64(transport) - i64(load_u32(ctx + HEAD_BYTES))
        if offset > 0:
            least = offset
    return least


@export
@cold
def skb_change_tail(rt: ptr, ctx: ptr, length: i64, flags: i64) -> i64:
    """Cut the packet, or let it grow by zeros; all of it becomes linear."""
    new = u64(u32(length))
    if flags != 0 or new > MAX_LEN:
        return i64(-EINVAL)
    if i64(new) < least_length(ctx):
        return i64(-EINVAL)
    if load_u32(ctx + ENCAPSULATION) != 0:
        return i64(-ENOTSUPP)
    old = len_of(ctx)
    if new > old:
        if not make_tailroom(ctx, new - old):
            return i64(-ENOMEM)
        clear(data_of(ctx) + old, new - old)
    store_u32(ctx + LEN, u32(new))
    store_u64(ctx + DATA_END, load_u64(ctx + DATA) + new)
    if new != old:
        no_sum(ctx)
    if is_gso(ctx) and new != old:
        store_u32(ctx + GSO_SIZE, 0)
        store_u32(ctx + GSO_SEGS, 0)
    return i64(0)


@export
@cold
def skb_change_head(rt: ptr, ctx: ptr, room: i64, flags: i64) -> i64:
    """Zeros before the packet; the link header starts there."""
    size = u64(u32(room))
    new = len_of(ctx) + size
    if flags != 0 or size > 0x7FFF_FFFF:
        return i64(-EINVAL)
    if new > MAX_LEN and not is_gso(ctx):
        return i64(-EINVAL)
    if not make_headroom(ctx, size):
        return i64(-ENOMEM)
    data = push_head(ctx, size)
    clear(data, size)
    store_u64(ctx + MAC_HEADER, load_u64(ctx + DATA))
    reset_mac_len(ctx)
    return i64(0)


@inline
def base_length(protocol: u32) -> u64:
    """The shortest header of a network protocol; bpf_skb_net_base_len."""
    return u64(IPV4_BYTES) if protocol == ETH_P_IP else u64(IPV6_BYTES)


@inline
def grow(ctx: ptr, at: u64, size: u64, flags: u64) -> i64:
    """bpf_skb_net_grow."""
    if is_gso(ctx):
        return i64(-ENOTSUPP)
    if not make_headroom(ctx, size):
        return i64(-ENOMEM)
    if not holds(ctx, at):
        return i64(-ENOMEM)
    encap = flags & ENCAP_L3 != 0
    inner_mac = flags >> ENCAP_L2_SHIFT
    if encap:
        if flags & ENCAP_L3 == ENCAP_L3:
            return i64(-EINVAL)
        if flags & ENCAP_L4_GRE != 0 and flags & ENCAP_L4_UDP != 0:
            return i64(-EINVAL)
        if flags & ENCAP_L2_ETH != 0 and inner_mac < ETH_HLEN:
            return i64(-EINVAL)
        if load_u32(ctx + ENCAPSULATION) != 0:
            return i64(-EALREADY)
        if inner_mac > size:
            return i64(-EINVAL)
    link = mac_header_bytes(ctx)
    open_gap(ctx, at, size)
    if encap:
        store_u32(ctx + ENCAPSULATION, 1)
        store_u64(ctx + NETWORK_HEADER, load_u64(ctx + DATA) + link)
        if flags & (ENCAP_L4_GRE | ENCAP_L4_UDP) != 0:
            outer = u64(IPV6_BYTES) if flags & ENCAP_L3_IPV6 != 0 else u64(IPV4_BYTES)
            transport = load_u32(ctx + HEAD_BYTES) + u32(link + outer)
            store_u32(ctx + TRANSPORT_HEADER, transport & 0xFFFF)
        if flags & ENCAP_L3_IPV6 != 0:
            store_u32(ctx + PROTOCOL, ETH_P_IPV6)
        else:
            store_u32(ctx + PROTOCOL, ETH_P_IP)
    return i64(0)


@inline
def shrink(ctx: ptr, at: u64, size: u64, flags: u64) -> i64:
    """bpf_skb_net_shrink."""
    if flags & u64(~SHRINK_FLAGS) != 0:
        return i64(-EINVAL)
    if is_gso(ctx):
        return i64(-ENOTSUPP)
    failed = close_gap(ctx, at, size)
    if failed == 0:
        if flags & DECAP_L3_IPV6 != 0:
            store_u32(ctx + PROTOCOL, ETH_P_IPV6)
        elif flags & DECAP_L3_IPV4 != 0:
            store_u32(ctx + PROTOCOL, ETH_P_IP)
    return failed


@export
@cold
def skb_adjust_room(rt: ptr, ctx: ptr, diff: i64, mode: i64, flags: i64) -> i64:
    """Room behind the link header or behind the shortest network header, or less of it."""
    by = i64(i32(diff))
    shrinks = by < 0
    size = u64(by)
    if shrinks:
        size = u64(0 - by)
    how = u64(flags)
    if how & u64(~ROOM_FLAGS) != 0:
        return i64(-EINVAL)
    if size > MAX_ROOM:
        return i64(-EFAULT)
    protocol = protocol_of(ctx)
    if protocol != ETH_P_IP and protocol != ETH_P_IPV6:
        return i64(-ENOTSUPP)
    least = base_length(protocol)
    at = mac_header_bytes(ctx)
    if u32(mode) == ROOM_NET:
        at += least
    elif u32(mode) != ROOM_MAC:
        return i64(-ENOTSUPP)
    decap = how & DECAP_L3
    if decap != 0:
        if not shrinks or decap == DECAP_L3:
            return i64(-EINVAL)
        least = u64(IPV4_BYTES) if decap == DECAP_L3_IPV4 else u64(IPV6_BYTES)
    result = i64(0)
    if shrinks:
        current = u64(u32(i64(len_of(ctx)) - network_offset(ctx)))
        if size >= current or current - size < least:
            return i64(-ENOTSUPP)
        result = shrink(ctx, at, size, how)
    else:
        if len_of(ctx) + size > MAX_LEN and not is_gso(ctx):
            return i64(-ENOTSUPP)
        result = grow(ctx, at, size, how)
    if result == 0 and how & NO_CSUM_RESET == 0:
        if load_u32(ctx + IP_SUMMED) == CHECKSUM_UNNECESSARY:
            store_u32(ctx + IP_SUMMED, CHECKSUM_NONE)
            store_u32(ctx + CSUM_LEVEL, 0)
    return result
