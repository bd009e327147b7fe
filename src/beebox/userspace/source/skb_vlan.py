"""VLAN tags of an skb, beside the packet and in it, as native code with Linux's results."""

from __future__ import annotations

from typing import Final

from beebox.compiler.dialect import (
    cold,
    export,
    i64,
    inline,
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
)
from beebox.userspace.source.skb import (
    DATA,
    EINVAL,
    ENOMEM,
    ETH_HLEN,
    ETH_P_802_2,
    ETH_P_802_3,
    ETH_P_802_3_MIN,
    ETH_P_8021AD,
    ETH_P_8021Q,
    MAC_HEADER,
    NETWORK_HEADER,
    PROTOCOL,
    VLAN_HLEN,
    VLAN_PRESENT,
    VLAN_PROTO,
    VLAN_TCI,
    data_of,
    holds,
    make_headroom,
    network_offset,
    protocol_of,
    pull,
    pull_head,
    push_head,
    reset_mac_len,
    sum_with,
    sum_without,
)

ADDRESSES: Final = 12  # of an Ethernet header


@inline
def swap16(value: u16) -> u16:
    """The other byte order."""
    return u16(value << 8) | (value >> 8)


@inline
def is_vlan(protocol: u32) -> bool:
    """Whether a VLAN tag follows; eth_type_vlan."""
    return protocol == ETH_P_8021Q or protocol == ETH_P_8021AD


@inline
def set_tag(ctx: ptr, protocol: u32, tci: u32) -> None:
    """Keep a tag beside the packet; __vlan_hwaccel_put_tag."""
    store_u32(ctx + VLAN_PROTO, protocol)
    store_u32(ctx + VLAN_TCI, tci)
    present = u32(0)
    if protocol != 0 or tci != 0:
        present = u32(1)
    store_u32(ctx + VLAN_PRESENT, present)


@inline
def at_link_header(ctx: ptr) -> bool:
    """Whether data is where the link header is."""
    return load_u64(ctx + DATA) == load_u64(ctx + MAC_HEADER)


@cold
def insert(ctx: ptr) -> bool:
    """Put the tag beside the packet into it; __vlan_insert_tag. False without room."""
    if not make_headroom(ctx, VLAN_HLEN) or not holds(ctx, ADDRESSES):
        return False
    data = push_head(ctx, VLAN_HLEN)
    move(data, data + VLAN_HLEN, ADDRESSES)
    store_u64(ctx + MAC_HEADER, load_u64(ctx + DATA))
    store_u16(data + ADDRESSES, u16(load_u32(ctx + VLAN_PROTO)))
    store_u16(data + (ADDRESSES + 2), swap16(u16(load_u32(ctx + VLAN_TCI))))
    return True


@export
@cold
def skb_vlan_push(rt: ptr, ctx: ptr, protocol: i64, tci: i64) -> i64:
    """A tag beside the packet; one that is there already goes into it."""
    kind = u32(u16(protocol))
    if not is_vlan(kind):
        kind = u32(ETH_P_8021Q)
    if load_u32(ctx + VLAN_PRESENT) != 0:
        if not at_link_header(ctx):
            return i64(-EINVAL)
        if not insert(ctx):
            return i64(-ENOMEM)
        sum_with(ctx, data_of(ctx) + ADDRESSES, VLAN_HLEN, 0)
        store_u32(ctx + PROTOCOL, load_u32(ctx + VLAN_PROTO))
        store_u64(ctx + NETWORK_HEADER, load_u64(ctx + NETWORK_HEADER) - VLAN_HLEN)
    set_tag(ctx, kind, u32(u16(tci)))
    reset_mac_len(ctx)
    return i64(0)


def pop(ctx: ptr) -> i64:
    """Take a tag out of the packet: its control information, or an error. __skb_vlan_pop."""
    if not at_link_header(ctx):
        return i64(-EINVAL)
    if not pull(ctx, ETH_HLEN + VLAN_HLEN):
        return i64(-ENOMEM)
    data = data_of(ctx)
    sum_without(ctx, data + ADDRESSES, VLAN_HLEN, 0)
    tci = swap16(load_u16(data + ETH_HLEN))
    inner = load_u16(data + (ETH_HLEN + 2))
    kind = u32(inner)
    if swap16(inner) < ETH_P_802_3_MIN:
        kind = u32(ETH_P_802_2)
        if load_u16(data + (ETH_HLEN + VLAN_HLEN)) == 0xFFFF:
            kind = u32(ETH_P_802_3)
    store_u32(ctx + PROTOCOL, kind)
    move(data + VLAN_HLEN, data, ADDRESSES)
    pull_head(ctx, VLAN_HLEN)
    store_u64(ctx + MAC_HEADER, load_u64(ctx + DATA))
    if network_offset(ctx) < ETH_HLEN:
        store_u64(ctx + NETWORK_HEADER, load_u64(ctx + DATA) + ETH_HLEN)
    reset_mac_len(ctx)
    return i64(tci)


@export
@cold
def skb_vlan_pop(rt: ptr, ctx: ptr) -> i64:
    """Drop the tag beside the packet, or the one in it; the next one takes its place."""
    if load_u32(ctx + VLAN_PRESENT) != 0:
        set_tag(ctx, 0, 0)
    else:
        if not is_vlan(protocol_of(ctx)):
            return i64(0)
        popped = pop(ctx)
        if popped < 0:
            return popped
    kind = protocol_of(ctx)
    if is_vlan(kind):
        popped = pop(ctx)
        if popped < 0:
            return popped
        set_tag(ctx, kind, u32(popped))
    return i64(0)
