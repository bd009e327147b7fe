"""Tunnel metadata of an skb: bpf_skb_{get,set}_tunnel_{key,opt}, and the IPsec state it never has.

The metadata's block is ``userspace.tunnels``'s. Addresses are kept as in a packet.
"""

from __future__ import annotations

from typing import Final

from beebox.compiler.dialect import (
    clear,
    cold,
    constant,
    copy,
    export,
    i64,
    inline,
    load_ptr,
    load_u8,
    load_u16,
    load_u32,
    load_u64,
    move,
    ptr,
    store_u8,
    store_u16,
    store_u32,
    store_u64,
    u16,
    u32,
    u64,
    zero,
)

TUNNEL: Final = constant("TUNNEL")
FAMILY: Final = constant("TUNNEL_FAMILY")  # 0: there is no metadata
OWN: Final = constant("TUNNEL_OWN")  # whether the program has set it
FLAGS: Final = constant("TUNNEL_FLAGS")
ID: Final = constant("TUNNEL_ID")
TOS: Final = constant("TUNNEL_TOS")
TTL: Final = constant("TUNNEL_TTL")
LABEL: Final = constant("TUNNEL_LABEL")
SRC: Final = constant("TUNNEL_SRC")
DST: Final = constant("TUNNEL_DST")
OPTIONS_BYTES: Final = constant("TUNNEL_OPTIONS_BYTES")
OPTIONS: Final = constant("TUNNEL_OPTIONS")
SCRATCH: Final = constant("TUNNEL_SCRATCH")

# struct bpf_tunnel_key, and where older versions of it end
KEY_BYTES: Final = 44
K_ID: Final = 0
K_REMOTE: Final = 4
K_TOS: Final = 20
K_TTL: Final = 21
K_EXT: Final = 22
K_LABEL: Final = 24
K_LOCAL: Final = 28
OLD_IPV4: Final = 8

IPV6: Final = 1  # BPF_F_TUNINFO_IPV6
ZERO_CSUM_TX: Final = 2
DONT_FRAGMENT: Final = 4
SEQ_NUMBER: Final = 8
NO_TUNNEL_KEY: Final = 16
SET_FLAGS: Final = 31
TUNINFO_FLAGS: Final = 16

TUN_CSUM: Final = 0x0001
TUN_KEY: Final = 0x0004
TUN_SEQ: Final = 0x0008
TUN_DONT_FRAGMENT: Final = 0x0100
TUN_OPTIONS: Final = 0xD800  # GENEVE, VXLAN, ERSPAN, GTP
TUN_NOCACHE: Final = 0x2000

MAX_OPTIONS: Final = 255
FLOWLABEL: Final = 0x000F_FFFF
AF_INET: Final = 2
AF_INET6: Final = 10

ENOENT: Final = 2
ENOMEM: Final = 12
EINVAL: Final = 22
EPROTO: Final = 71


@inline
def swap32(x: u32) -> u32:
    """The other byte order."""
    return (x >> 24) | ((x >> 8) & 0xFF00) | ((x & 0xFF00) << 8) | (x << 24)


@inline
def size_of(register: i64) -> u64:
    """A size argument."""
    return u64(register) & 0xFFFF_FFFF


@inline
def known_size(size: u64) -> bool:
    """Whether a key of some version has this size."""
    return size == KEY_BYTES or size == K_LOCAL or size == K_LABEL or size == K_EXT


@inline
def refuse(to: ptr, size: u64, errno: i64) -> i64:
    """Fail, with nothing of the program's memory left as it was."""
    clear(to, size)
    return errno


@export
@cold
def skb_get_tunnel_key(rt: ptr, ctx: ptr, to: ptr, size: i64, flags: i64) -> i64:
    """bpf_skb_get_tunnel_key."""
    info = load_ptr(rt + TUNNEL)
    room = size_of(size)
    family = load_u32(info + FAMILY)
    wanted = u64(flags)
    if family == 0 or (wanted & u64(~(IPV6 | TUNINFO_FLAGS))) != 0:
        return refuse(to, room, -EINVAL)
    six = (wanted & IPV6) != 0
    if six != (family == AF_INET6):
        return refuse(to, room, -EPROTO)
    if not known_size(room):
        if room != OLD_IPV4 or six:
            return refuse(to, room, -EINVAL)
    key = info + SCRATCH
    zero(key, KEY_BYTES)
    store_u32(key + K_ID, u32(load_u64(info + ID) & 0xFFFF_FFFF))
    store_u8(key + K_TOS, load_u8(info + TOS))
    store_u8(key + K_TTL, load_u8(info + TTL))
    if (wanted & TUNINFO_FLAGS) != 0:
        told = load_u32(info + FLAGS)
        store_u16(key + K_EXT, u16(((told >> 8) | (told << 8)) & 0xFFFF))
    if six:
        copy(key + K_REMOTE, info + SRC, 16)
        copy(key + K_LOCAL, info + DST, 16)
        store_u32(key + K_LABEL, load_u32(info + LABEL))
    else:
        store_u32(key + K_REMOTE, swap32(load_u32(info + SRC)))
        store_u32(key + K_LOCAL, swap32(load_u32(info + DST)))
    move(to, key, room)
    return i64(0)


@export
@cold
def skb_set_tunnel_key(rt: ptr, ctx: ptr, given: ptr, size: i64, flags: i64) -> i64:
    """bpf_skb_set_tunnel_key: what a packet would get from a tunnel device is gone then."""
    info = load_ptr(rt + TUNNEL)
    room = size_of(size)
    wanted = u64(flags)
    if (wanted & u64(~SET_FLAGS)) != 0:
        return i64(-EINVAL)
    if not known_size(room) and room != OLD_IPV4:
        return i64(-EINVAL)
    key = info + SCRATCH
    zero(key, KEY_BYTES)
    move(key, given, room)
    six = (wanted & IPV6) != 0
    if load_u16(key + K_EXT) != 0 or (not six and load_u32(key + K_LABEL) != 0):
        return i64(-EINVAL)
    zero(info + FAMILY, SCRATCH - FAMILY)
    store_u32(info + OWN, 1)
    told = u32(TUN_NOCACHE)
    if (wanted & DONT_FRAGMENT) != 0:
        told |= TUN_DONT_FRAGMENT
    if (wanted & ZERO_CSUM_TX) == 0:
        told |= TUN_CSUM
    if (wanted & SEQ_NUMBER) != 0:
        told |= TUN_SEQ
    if (wanted & NO_TUNNEL_KEY) == 0:
        told |= TUN_KEY
    store_u32(info + FLAGS, told)
    store_u64(info + ID, u64(load_u32(key + K_ID)))
    store_u8(info + TOS, load_u8(key + K_TOS))
    store_u8(info + TTL, load_u8(key + K_TTL))
    if six:
        store_u32(info + FAMILY, AF_INET6)
        copy(info + DST, key + K_REMOTE, 16)
        copy(info + SRC, key + K_LOCAL, 16)
        store_u32(info + LABEL, load_u32(key + K_LABEL) & FLOWLABEL)
    else:
        store_u32(info + FAMILY, AF_INET)
        store_u32(info + DST, swap32(load_u32(key + K_REMOTE)))
        store_u32(info + SRC, swap32(load_u32(key + K_LOCAL)))
    return i64(0)


@export
@cold
def skb_get_tunnel_opt(rt: ptr, ctx: ptr, to: ptr, size: i64) -> i64:
    """bpf_skb_get_tunnel_opt: how many bytes there are."""
    info = load_ptr(rt + TUNNEL)
    room = size_of(size)
    if load_u32(info + FAMILY) == 0 or (load_u32(info + FLAGS) & TUN_OPTIONS) == 0:
        return refuse(to, room, -ENOENT)
    length = u64(load_u32(info + OPTIONS_BYTES))
    if room < length:
        return refuse(to, room, -ENOMEM)
    move(to, info + OPTIONS, length)
    clear(to + length, room - length)
    return i64(length)


@export
@cold
def skb_set_tunnel_opt(rt: ptr, ctx: ptr, given: ptr, size: i64) -> i64:
    """bpf_skb_set_tunnel_opt, behind a key that the program has set."""
    info = load_ptr(rt + TUNNEL)
    length = size_of(size)
    if load_u32(info + OWN) == 0 or (length & 3) != 0:
        return i64(-EINVAL)
    if length > MAX_OPTIONS:
        return i64(-ENOMEM)
    store_u32(info + OPTIONS_BYTES, u32(length))
    move(info + OPTIONS, given, length)
    store_u32(info + FLAGS, load_u32(info + FLAGS) | TUN_OPTIONS)
    return i64(0)


@export
@cold
def skb_get_xfrm_state(rt: ptr, ctx: ptr, index: i64, to: ptr, size: i64, flags: i64) -> i64:
    """bpf_skb_get_xfrm_state: packets here never came through IPsec."""
    return refuse(to, size_of(size), -EINVAL)
