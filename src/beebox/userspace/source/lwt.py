"""bpf_lwt_push_encap: an IP header in front of a packet of a lightweight tunnel.

Segment routing needs the packet's route, which packets here do not have: admission refuses it.
"""

from __future__ import annotations

from typing import Final

from beebox.compiler.dialect import (
    cold,
    export,
    i64,
    inline,
    load_u8,
    load_u16,
    load_u32,
    load_u64,
    move,
    ptr,
    store_u16,
    store_u32,
    store_u64,
    u16,
    u32,
    u64,
)
from beebox.userspace.source.skb import (
    DATA,
    EINVAL,
    ENCAPSULATION,
    ENOMEM,
    ENOTSUPP,
    ETH_P_IP,
    ETH_P_IPV6,
    IPV4_BYTES,
    IPV6_BYTES,
    MAC_BYTES,
    NETWORK_HEADER,
    PROTOCOL,
    clear_hash,
    is_gso,
    make_headroom,
    push_head,
)

ENCAP_IP: Final = 2  # BPF_LWT_ENCAP_IP
MAX_HEADROOM: Final = 256
IP_PROTOCOL: Final = 9  # of struct iphdr
CHECK: Final = 10
NEXT_HEADER: Final = 6  # of struct ipv6hdr
UDP: Final = 17
UDP_BYTES: Final = 8  # a tunnel over UDP must bring that header, too


@inline
def header_sum(header: ptr, size: u64) -> u16:
    """The checksum of an IPv4 header whose own is 0; x86's ip_fast_csum, which wants 20 bytes."""
    if size < IPV4_BYTES:
        return load_u16(header)
    total = u32(0)
    at = u64(0)
    while at < size:
        total += u32(load_u16(header + at))
        at += 2
    total = (total & 0xFFFF) + (total >> 16)
    total = (total & 0xFFFF) + (total >> 16)
    return u16((total ^ 0xFFFF) & 0xFFFF)


@export
@cold
def lwt_push_encap(rt: ptr, ctx: ptr, kind: i64, header: ptr, size: i64) -> i64:
    """An IP header, and what may follow it, before the packet."""
    if u32(kind) != ENCAP_IP:
        return i64(-EINVAL)
    length = u64(u32(size))
    if length < IPV4_BYTES or length > MAX_HEADROOM:
        return i64(-EINVAL)
    first = u64(load_u8(header))
    own = u64(IPV6_BYTES)
    protocol = load_u8(header + NEXT_HEADER)
    if first >> 4 == 4:
        own = (first & 15) * 4
        protocol = load_u8(header + IP_PROTOCOL)
    elif first >> 4 != 6:
        return i64(-EINVAL)
    if protocol == UDP:
        own += UDP_BYTES
    if length < own:
        return i64(-EINVAL)
    if not make_headroom(ctx, length + u64(load_u32(ctx + MAC_BYTES))):
        return i64(-ENOMEM)
    store_u32(ctx + ENCAPSULATION, 1)
    start = push_head(ctx, length)
    store_u64(ctx + NETWORK_HEADER, load_u64(ctx + DATA))
    move(start, header, length)
    clear_hash(ctx)
    if first >> 4 == 4:
        store_u32(ctx + PROTOCOL, ETH_P_IP)
        if load_u16(start + CHECK) == 0:
            store_u16(start + CHECK, header_sum(start, (first & 15) * 4))
    else:
        store_u32(ctx + PROTOCOL, ETH_P_IPV6)
    if is_gso(ctx):
        return i64(-ENOTSUPP)
    return i64(0)
