"""XDP helpers that change a frame, as native code; the frame's context is ``vm.contexts``'s."""

from __future__ import annotations

from typing import Final

from beebox.compiler.dialect import (
    clear,
    cold,
    constant,
    export,
    i32,
    i64,
    load_ptr,
    load_u64,
    move,
    ptr,
    store_u64,
    u64,
)

DATA: Final = constant("DATA")
DATA_END: Final = constant("DATA_END")
DATA_META: Final = constant("DATA_META")
HARD_START: Final = constant("HARD_START")
HARD_END: Final = constant("HARD_END")

MIN_FRAME: Final = 14  # ETH_HLEN
META_MAX: Final = 255

EACCES: Final = 13
EINVAL: Final = 22


@export
@cold
def xdp_adjust_head(rt: ptr, ctx: ptr, delta: i64) -> i64:
    """Move the packet's start, metadata along with it."""
    by = i64(i32(delta))
    meta = i64(load_u64(ctx + DATA_META))
    old = i64(load_u64(ctx + DATA))
    data = old + by
    if data < i64(load_u64(ctx + HARD_START)) + (old - meta):
        return i64(-EINVAL)
    if data > i64(load_u64(ctx + DATA_END)) - MIN_FRAME:
        return i64(-EINVAL)
    move(load_ptr(ctx + DATA_META) + u64(by), load_ptr(ctx + DATA_META), u64(old - meta))
    store_u64(ctx + DATA_META, u64(meta + by))
    store_u64(ctx + DATA, u64(data))
    return i64(0)


@export
@cold
def xdp_adjust_tail(rt: ptr, ctx: ptr, delta: i64) -> i64:
    """Move the packet's end; what is gained reads as zeros."""
    by = i64(i32(delta))
    old = i64(load_u64(ctx + DATA_END))
    end = old + by
    if end > i64(load_u64(ctx + HARD_END)):
        return i64(-EINVAL)
    if end < i64(load_u64(ctx + DATA)) + MIN_FRAME:
        return i64(-EINVAL)
    gained = load_ptr(ctx + DATA_END)
    if by > 0:
        clear(gained, u64(by))
    store_u64(ctx + DATA_END, u64(end))
    return i64(0)


@export
@cold
def xdp_adjust_meta(rt: ptr, ctx: ptr, delta: i64) -> i64:
    """Move where metadata starts: at most 255 bytes before the packet, in steps of 4."""
    data = i64(load_u64(ctx + DATA))
    meta = i64(load_u64(ctx + DATA_META)) + i64(i32(delta))
    if meta < i64(load_u64(ctx + HARD_START)):
        return i64(-EINVAL)
    if meta > data:
        return i64(-EINVAL)
    if (data - meta) & 3 != 0:
        return i64(-EACCES)
    if data - meta > META_MAX:
        return i64(-EACCES)
    store_u64(ctx + DATA_META, u64(meta))
    return i64(0)
