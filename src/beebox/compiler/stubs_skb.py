"""Helpers of ``__sk_buff`` programs over packet bytes: signatures, and what CPython can imitate.

The compiler takes names, arguments and effects from ``tables.helpers``; a test keeps both equal.
"""

from __future__ import annotations

from typing import Any, Final

from beebox.compiler.language import SkbContext, i32, i64, u16, u32, u64
from beebox.compiler.stubs import fold, load_bytes, store_bytes
from beebox.compiler.stubs_kernel import needs_kernel

_MARK_MANGLED_0: Final = 0x20  # BPF_F_MARK_MANGLED_0
_SIZES: Final = 0xF  # BPF_F_HDR_FIELD_MASK


def skb_load_bytes(ctx: SkbContext, offset: u32, to: Any) -> i64:
    """Fill ``to`` with the packet's bytes from ``offset`` on. 0, or a negative errno and zeros."""
    return load_bytes(ctx, offset, to)


def skb_load_bytes_relative(ctx: SkbContext, offset: u32, to: Any, start_header: u32) -> i64:
    """As :func:`skb_load_bytes`, from the MAC (0) or network header (1) on."""
    start = {0: ctx.network_header - 14, 1: ctx.network_header}.get(int(start_header), -1)
    if start < 0:
        return i64(-14 if start_header in (0, 1) else -22)
    return load_bytes(ctx, start + int(offset), to)


def skb_store_bytes(ctx: SkbContext, offset: u32, from_: Any, flags: u64) -> i64:
    """Write bytes to the packet from ``offset`` on. 0, or a negative errno."""
    del flags
    return store_bytes(ctx, offset, from_)


def l3_csum_replace(ctx: SkbContext, offset: u32, from_: u64, to: u64, size: u64) -> i64:
    """Update the IP checksum at ``offset`` for a field of ``size`` bytes that changed.

    ``from_`` and ``to`` are the field as it lies in memory: ``htonl(...)`` of a number. With size
    0, ``to`` is a difference from :func:`csum_diff`. 0, or a negative errno.
    """
    return _replace(ctx, int(offset), int(from_), int(to), int(size))


def l4_csum_replace(ctx: SkbContext, offset: u32, from_: u64, to: u64, flags: u64) -> i64:
    """As :func:`l3_csum_replace` for TCP, UDP and ICMP; ``flags`` hold the size in their low bits.

    ``BPF_F_PSEUDO_HDR`` says that the field is part of the pseudo header,
    ``BPF_F_MARK_MANGLED_0`` keeps a UDP checksum of 0 as "none".
    """
    at, mangled = int(offset), bool(int(flags) & _MARK_MANGLED_0)
    if mangled and not any(ctx.data[at : at + 2]):
        return i64(0)
    done = _replace(ctx, at, int(from_), int(to), int(flags) & _SIZES)
    if mangled and not any(ctx.data[at : at + 2]):
        ctx.data[at : at + 2] = b"\xff\xff"
    return done


def _replace(ctx: SkbContext, at: int, before: int, after: int, size: int) -> i64:
    if at % 2 or at + 2 > len(ctx.data):
        return i64(-14)
    if size not in {0, 2, 4} or (size == 0 and before):
        return i64(-22)
    mask = (1 << 8 * (size or 4)) - 1
    kept = int.from_bytes(ctx.data[at : at + 2], "little") ^ 0xFFFF
    removed = fold(before & mask, 16) ^ 0xFFFF if size else 0
    total = fold(kept + removed + (after & mask), 16)
    ctx.data[at : at + 2] = (total ^ 0xFFFF).to_bytes(2, "little")
    return i64(0)


def skb_pull_data(ctx: SkbContext, len: u32) -> i64:  # noqa: A002 -- the table's name
    """Make ``len`` bytes of the packet linear: within reach of ``ctx.packet()``; 0 for all."""
    return i64(-12 if len > ctx.len else 0)


def skb_change_tail(ctx: SkbContext, len: u32, flags: u64) -> i64:  # noqa: A002 -- as above
    """Cut the packet to ``len`` bytes, or fill it up with zeros. 0, or a negative errno."""
    if flags:
        return i64(-22)
    ctx.data = (ctx.data + bytearray(max(0, int(len) - ctx.data.__len__())))[: int(len)]
    return i64(0)


def skb_change_head(ctx: SkbContext, len: u32, flags: u64) -> i64:  # noqa: A002 -- the table's name
    """Make room of ``len`` bytes before the packet, for a link header. 0, or a negative errno."""
    return needs_kernel(ctx, len, flags)


def skb_change_proto(ctx: SkbContext, proto: u16, flags: u64) -> i64:
    """Turn IPv4 into IPv6 or back by room alone; ``proto`` is ``htons(ETH_P_IPV6)`` or IPv4's."""
    return needs_kernel(ctx, proto, flags)


def skb_change_type(ctx: SkbContext, type: u32) -> i64:  # noqa: A002 -- the table's name
    """Say whom the packet is for: PACKET_HOST, PACKET_OTHERHOST, ... 0, or a negative errno."""
    return needs_kernel(ctx, type)


def skb_adjust_room(ctx: SkbContext, len_diff: i32, mode: u32, flags: u64) -> i64:
    """Grow or shrink the room before the network header, or behind the MAC header."""
    return needs_kernel(ctx, len_diff, mode, flags)


def skb_vlan_push(ctx: SkbContext, vlan_proto: u16, vlan_tci: u16) -> i64:
    """Add a VLAN tag; ``vlan_proto`` in network byte order: ``htons(ETH_P_8021Q)``."""
    return needs_kernel(ctx, vlan_proto, vlan_tci)


def skb_vlan_pop(ctx: SkbContext) -> i64:
    """Take off the outer VLAN tag. 0, or a negative errno."""
    return needs_kernel(ctx)


def skb_set_tstamp(ctx: SkbContext, tstamp: u64, tstamp_type: u32) -> i64:
    """Set the time at which the packet is to leave, and its clock."""
    return needs_kernel(ctx, tstamp, tstamp_type)


def csum_update(ctx: SkbContext, csum: u32) -> i64:
    """Add to the packet's checksum, where the kernel keeps one for all of it."""
    return needs_kernel(ctx, csum)


def csum_level(ctx: SkbContext, level: u64) -> i64:
    """Change, or ask for, how many headers have checksums that are known to be right."""
    return needs_kernel(ctx, level)


def set_hash_invalid(ctx: SkbContext) -> i64:
    """Forget the packet's hash, to be computed anew."""
    return needs_kernel(ctx)


def set_hash(ctx: SkbContext, hash: u32) -> i64:  # noqa: A002 -- the table's name
    """Set the packet's hash. 0."""
    return needs_kernel(ctx, hash)


def get_hash_recalc(ctx: SkbContext) -> u32:
    """The packet's hash over its flow, computed if there is none."""
    return needs_kernel(ctx)


def skb_ecn_set_ce(ctx: SkbContext) -> i64:
    """Mark an ECN-capable packet as having met congestion: 1, or 0 when it is not capable."""
    return needs_kernel(ctx)
