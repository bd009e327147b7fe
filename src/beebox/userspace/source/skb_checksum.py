"""Helpers for an skb's checksums, as native code with Linux's results."""

from __future__ import annotations

from typing import Final

from beebox.compiler.dialect import (
    cold,
    export,
    i64,
    inline,
    load_u16,
    load_u32,
    ptr,
    store_u16,
    store_u32,
    u16,
    u32,
    u64,
)
from beebox.userspace.source.skb import (
    CHECKSUM_COMPLETE,
    CHECKSUM_NONE,
    CHECKSUM_UNNECESSARY,
    CSUM,
    CSUM_LEVEL,
    EACCES,
    EFAULT,
    EINVAL,
    ENOTSUPP,
    IP_SUMMED,
    data_of,
    pull,
)
from beebox.userspace.source.sums import add, subtract

FIELD_MASK: Final = 0xF  # BPF_F_HDR_FIELD_MASK
PSEUDO_HDR: Final = 1 << 4
MARK_MANGLED_0: Final = 1 << 5
MARK_ENFORCE: Final = 1 << 6
IPV6: Final = 1 << 7
L4_FLAGS: Final = 0xFF
LEVEL_QUERY: Final = 0
LEVEL_INC: Final = 1
LEVEL_DEC: Final = 2
LEVEL_RESET: Final = 3
MAX_LEVEL: Final = 3


@inline
def fold(total: u32) -> u16:
    """The complement of a sum in 16 bits; csum_fold."""
    total = (total & 0xFFFF) + (total >> 16)
    total = (total & 0xFFFF) + (total >> 16)
    return u16(~total & 0xFFFF)


@inline
def add16(a: u16, b: u16) -> u16:
    """csum16_add."""
    total = u32(a) + u32(b)
    return u16((total + (total >> 16)) & 0xFFFF)


@inline
def replace2(field: ptr, old: u16, new: u16) -> None:
    """csum_replace2."""
    kept = add16(~load_u16(field), ~old)
    store_u16(field, ~add16(kept, new))


@inline
def replace4(field: ptr, old: u32, new: u32) -> None:
    """csum_replace4."""
    kept = subtract(~u32(load_u16(field)), old)
    store_u16(field, fold(add(kept, new)))


@inline
def replace_by_diff(field: ptr, diff: u32) -> None:
    """csum_replace_by_diff."""
    store_u16(field, fold(add(diff, ~u32(load_u16(field)))))


@export
@cold
def l3_csum_replace(rt: ptr, ctx: ptr, offset: i64, old: i64, new: i64, flags: i64) -> i64:
    """Bring a network header's checksum up to date."""
    at = u32(offset)
    if u64(flags) & u64(~FIELD_MASK) != 0:
        return i64(-EINVAL)
    if at > 0xFFFF or at & 1 != 0:
        return i64(-EFAULT)
    if not pull(ctx, u64(at) + 2):
        return i64(-EFAULT)
    field = data_of(ctx) + u64(at)
    size = u64(flags)
    if size == 0:
        if old != 0:
            return i64(-EINVAL)
        replace_by_diff(field, u32(new))
    elif size == 2:
        replace2(field, u16(old), u16(new))
    elif size == 4:
        replace4(field, u32(old), u32(new))
    else:
        return i64(-EINVAL)
    return i64(0)


@inline
def of_whole_packet(ctx: ptr, pseudo: bool) -> bool:
    """Whether the device's checksum over the packet must follow."""
    return pseudo and load_u32(ctx + IP_SUMMED) == CHECKSUM_COMPLETE


@inline
def proto_replace4(field: ptr, ctx: ptr, old: u32, new: u32, pseudo: bool) -> None:
    """inet_proto_csum_replace4."""
    replace4(field, old, new)
    if of_whole_packet(ctx, pseudo):
        csum = load_u32(ctx + CSUM)
        store_u32(ctx + CSUM, ~add(subtract(~csum, old), new))


@export
@cold
def l4_csum_replace(rt: ptr, ctx: ptr, offset: i64, old: i64, new: i64, flags: i64) -> i64:
    """Bring a transport header's checksum up to date."""
    at = u32(offset)
    how = u64(flags)
    if how & u64(~L4_FLAGS) != 0:
        return i64(-EINVAL)
    if at > 0xFFFF or at & 1 != 0:
        return i64(-EFAULT)
    if not pull(ctx, u64(at) + 2):
        return i64(-EFAULT)
    field = data_of(ctx) + u64(at)
    mangled = how & MARK_MANGLED_0 != 0
    if mangled and how & MARK_ENFORCE == 0 and load_u16(field) == 0:
        return i64(0)
    pseudo = how & PSEUDO_HDR != 0
    size = how & FIELD_MASK
    if size == 0:
        if old != 0:
            return i64(-EINVAL)
        replace_by_diff(field, u32(new))
        if of_whole_packet(ctx, pseudo) and how & IPV6 == 0:
            store_u32(ctx + CSUM, ~subtract(u32(new), load_u32(ctx + CSUM)))
    elif size == 2:
        proto_replace4(field, ctx, u32(u16(old)), u32(u16(new)), pseudo)
    elif size == 4:
        proto_replace4(field, ctx, u32(old), u32(new), pseudo)
    else:
        return i64(-EINVAL)
    if mangled and load_u16(field) == 0:
        store_u16(field, 0xFFFF)
    return i64(0)


@export
@cold
def csum_update(rt: ptr, ctx: ptr, csum: i64) -> i64:
    """Add to the device's checksum over the packet, where there is one."""
    if load_u32(ctx + IP_SUMMED) != CHECKSUM_COMPLETE:
        return i64(-ENOTSUPP)
    total = add(load_u32(ctx + CSUM), u32(csum))
    store_u32(ctx + CSUM, total)
    return i64(total)


@export
@cold
def csum_level(rt: ptr, ctx: ptr, level: i64) -> i64:
    """How many checksums the device has verified, beyond the first."""
    summed = load_u32(ctx + IP_SUMMED)
    verified = load_u32(ctx + CSUM_LEVEL)
    if level == LEVEL_QUERY:
        return i64(verified) if summed == CHECKSUM_UNNECESSARY else i64(-EACCES)
    if level == LEVEL_INC:
        if summed == CHECKSUM_UNNECESSARY:
            if verified < MAX_LEVEL:
                store_u32(ctx + CSUM_LEVEL, verified + 1)
        elif summed == CHECKSUM_NONE:
            store_u32(ctx + IP_SUMMED, CHECKSUM_UNNECESSARY)
            store_u32(ctx + CSUM_LEVEL, 0)
    elif level == LEVEL_DEC:
        if summed == CHECKSUM_UNNECESSARY:
            if verified == 0:
                store_u32(ctx + IP_SUMMED, CHECKSUM_NONE)
            else:
                store_u32(ctx + CSUM_LEVEL, verified - 1)
    elif level == LEVEL_RESET:
        if summed == CHECKSUM_UNNECESSARY:
            store_u32(ctx + IP_SUMMED, CHECKSUM_NONE)
            store_u32(ctx + CSUM_LEVEL, 0)
    else:
        return i64(-EINVAL)
    return i64(0)
