"""Routes and redirects for programs on an skb."""

from __future__ import annotations

from typing import Final

from beebox.compiler.dialect import (
    cold,
    constant,
    copy,
    export,
    i32,
    i64,
    inline,
    load_ptr,
    load_u16,
    load_u32,
    load_u64,
    ptr,
    store_u16,
    store_u32,
    store_u64,
    u16,
    u32,
    u64,
)
from beebox.userspace.source.fib import FRAG_NEEDED, NETWORK, TOT_LEN, lookup
from beebox.userspace.source.routes import IF_FLAGS, IF_MTU, IF_UP, IFINDEX, find_interface

LEN: Final = constant("LEN")
GSO_SIZE: Final = constant("GSO_SIZE")
CLONES: Final = constant("CLONES")
REDIRECT_MAP: Final = constant("REDIRECT_MAP")
REDIRECT_FLAGS: Final = constant("REDIRECT_FLAGS")
REDIRECT_IFINDEX: Final = constant("REDIRECT_IFINDEX")
REDIRECT_KIND: Final = constant("REDIRECT_KIND")
REDIRECT_FAMILY: Final = constant("REDIRECT_FAMILY")
REDIRECT_NEXTHOP: Final = constant("REDIRECT_NEXTHOP")
CLONE_ENTRIES: Final = constant("CLONE_ENTRIES")

DEVICE: Final = 1
TC_ACT_SHOT: Final = 2
TC_ACT_REDIRECT: Final = 7
INGRESS: Final = 1  # BPF_F_INGRESS
F_NEIGH: Final = 0x1_0000  # what Linux notes of redirect_neigh and redirect_peer
F_PEER: Final = 0x2_0000
F_NEXTHOP: Final = 0x4_0000
NEIGH_BYTES: Final = 20  # struct bpf_redir_neigh

ETH_HLEN: Final = 14
VLAN_HLEN: Final = 4
NET_RX_DROP: Final = 1
NET_XMIT_CN: Final = 2
EINVAL: Final = 22


@inline
def forwardable(ctx: ptr, device: ptr) -> bool:
    """is_skb_forwardable."""
    if (load_u32(device + IF_FLAGS) & IF_UP) == 0:
        return False
    if load_u32(ctx + GSO_SIZE) != 0:
        return True
    most = u64(load_u32(device + IF_MTU)) + (ETH_HLEN + VLAN_HLEN)
    return u64(load_u32(ctx + LEN)) <= most


@export
@cold
def fib_lookup(rt: ptr, ctx: ptr, params: ptr, size: i64, flags: i64) -> i64:
    """bpf_fib_lookup: a length that is not given is the packet's, held against the device."""
    given = False
    if (u64(size) & 0xFFFF_FFFF) >= 8:
        given = load_u16(params + TOT_LEN) != 0
    result = lookup(rt, params, size, flags, given)
    if result != 0 or given:
        return result
    device = find_interface(load_ptr(rt + NETWORK), load_u32(params + IFINDEX))
    if device is None:
        return result
    if not forwardable(ctx, device):
        result = i64(FRAG_NEEDED)
    store_u16(params + TOT_LEN, u16(load_u32(device + IF_MTU) & 0xFFFF))
    return result


@inline
def note(rt: ptr, ifindex: i64, flags: u64) -> i64:
    """Note where the packet shall go; the verdict to return."""
    store_u64(rt + REDIRECT_MAP, 0)
    store_u64(rt + REDIRECT_FLAGS, flags)
    store_u32(rt + REDIRECT_IFINDEX, u32(ifindex))
    store_u32(rt + REDIRECT_KIND, DEVICE)
    return i64(TC_ACT_REDIRECT)


@export
@inline
def redirect(rt: ptr, ifindex: i64, flags: i64) -> i64:
    """bpf_redirect, out of a device or into it."""
    if (u64(flags) & u64(~INGRESS)) != 0:
        return i64(TC_ACT_SHOT)
    return note(rt, ifindex, u64(flags))


@export
@inline
def redirect_peer(rt: ptr, ifindex: i64, flags: i64) -> i64:
    """bpf_redirect_peer: into a device's peer, in another network namespace."""
    if flags != 0:
        return i64(TC_ACT_SHOT)
    return note(rt, ifindex, F_PEER)


@export
@cold
def redirect_neigh(rt: ptr, ifindex: i64, params: ptr, size: i64, flags: i64) -> i64:
    """bpf_redirect_neigh: out of a device, link addresses from the neighbour table."""
    given = i32(size)
    if flags != 0:
        return i64(TC_ACT_SHOT)
    if given != 0 and given < NEIGH_BYTES:
        return i64(TC_ACT_SHOT)
    if given == 0:
        return note(rt, ifindex, F_NEIGH)
    copy(rt + REDIRECT_FAMILY, params, 4)
    copy(rt + REDIRECT_NEXTHOP, params + 4, 16)
    return note(rt, ifindex, F_NEIGH | F_NEXTHOP)


@export
@cold
def clone_redirect(rt: ptr, ctx: ptr, ifindex: i64, flags: i64) -> i64:
    """bpf_clone_redirect: a copy leaves at once; the devices' drivers take all that they get."""
    if (u64(flags) & u64(~INGRESS)) != 0:
        return i64(-EINVAL)
    device = find_interface(load_ptr(rt + NETWORK), u32(ifindex))
    if device is None:
        return i64(-EINVAL)
    count(load_ptr(rt + CLONES), (u64(u32(ifindex)) << 32) | u64(flags))
    if (load_u32(device + IF_FLAGS) & IF_UP) != 0:
        return i64(0)
    if (flags & INGRESS) != 0:
        return i64(NET_RX_DROP)
    return i64(NET_XMIT_CN)


@inline
def count(table: ptr, target: u64) -> None:
    """One clone more to a target, found by its number plus 1; the last entry is all others'."""
    at = u64(0)
    while at < CLONE_ENTRIES - 1:
        here = table + at * 16
        seen = load_u64(here)
        if seen == 0:
            store_u64(here, target + 1)
            seen = target + 1
        if seen == target + 1:
            store_u64(here + 8, load_u64(here + 8) + 1)
            return
        at += 1
    last = table + (CLONE_ENTRIES - 1) * 16
    store_u64(last + 8, load_u64(last + 8) + 1)
