"""Helpers that read and write an skb's bytes, as native code with Linux's results."""

from __future__ import annotations

from typing import Final

from beebox.compiler.dialect import (
    clear,
    cold,
    export,
    i64,
    load_ptr,
    load_u64,
    move,
    ptr,
    u32,
    u64,
)
from beebox.userspace.source.skb import (
    DATA_END,
    EFAULT,
    EINVAL,
    ENOMEM,
    INT_MAX,
    MAC_HEADER,
    NETWORK_HEADER,
    clear_hash,
    data_of,
    len_of,
    linear_of,
    pull,
    sum_with,
    sum_without,
)

RECOMPUTE_CSUM: Final = 1
INVALIDATE_HASH: Final = 2
STORE_FLAGS: Final = 3
HDR_START_MAC: Final = 0
HDR_START_NET: Final = 1


@export
def skb_load_bytes(rt: ptr, ctx: ptr, offset: i64, to: ptr, size: i64) -> i64:
    """Copy from anywhere in the packet; zeros and -EFAULT where it ends before."""
    at = u64(u32(offset))
    count = u64(u32(size))
    if at <= INT_MAX and at + count <= len_of(ctx):
        move(to, data_of(ctx) + at, count)
        return i64(0)
    clear(to, count)
    return i64(-EFAULT)


@export
def skb_load_bytes_relative(rt: ptr, ctx: ptr, offset: i64, to: ptr, size: i64, header: i64) -> i64:
    """The same from the link or network header on, in the linear part alone."""
    at = u64(u32(offset))
    count = u64(u32(size))
    start = u32(header)
    if at <= 0xFFFF and start <= HDR_START_NET:
        field = ctx + MAC_HEADER
        if start == HDR_START_NET:
            field = ctx + NETWORK_HEADER
        if load_u64(field) + at + count <= load_u64(ctx + DATA_END):
            move(to, load_ptr(field) + at, count)
            return i64(0)
    clear(to, count)
    return i64(-EFAULT)


@export
@cold
def skb_store_bytes(rt: ptr, ctx: ptr, offset: i64, source: ptr, size: i64, flags: i64) -> i64:
    """Write into the packet, which becomes linear that far."""
    at = u32(offset)
    count = u32(size)
    if u64(flags) & u64(~STORE_FLAGS) != 0:
        return i64(-EINVAL)
    if at > INT_MAX:
        return i64(-EFAULT)
    if not pull(ctx, u64(at + count)):
        return i64(-EFAULT)
    to = data_of(ctx) + u64(at)
    summed = u64(flags) & RECOMPUTE_CSUM != 0
    if summed:
        sum_without(ctx, to, u64(count), u64(at))
    move(to, source, u64(count))
    if summed:
        sum_with(ctx, to, u64(count), u64(at))
    if u64(flags) & INVALIDATE_HASH != 0:
        clear_hash(ctx)
    return i64(0)


@export
@cold
def skb_pull_data(rt: ptr, ctx: ptr, size: i64) -> i64:
    """Make the packet's first bytes linear."""
    wanted = u64(u32(size))
    if wanted == 0:
        wanted = linear_of(ctx)
    if not pull(ctx, wanted):
        return i64(-ENOMEM)
    return i64(0)
