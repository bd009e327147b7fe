"""XDP helpers over a frame, as native code with Linux's results.

A frame's first page is linear; the rest lies behind ``data_end``, ``frags_bytes`` of it, in pages
of which only the last has room left. Frames that were never longer than a page grow to its end.
"""

from __future__ import annotations

from typing import Final

from beebox.compiler.dialect import (
    clear,
    cold,
    constant,
    export,
    i32,
    i64,
    inline,
    load_ptr,
    load_u32,
    load_u64,
    move,
    ptr,
    store_u64,
    u32,
    u64,
)
from beebox.userspace.source.mtu import check

DATA: Final = constant("DATA")
DATA_END: Final = constant("DATA_END")
DATA_META: Final = constant("DATA_META")
HARD_START: Final = constant("HARD_START")
HARD_END: Final = constant("HARD_END")
FRAGS_BYTES: Final = constant("FRAGS_BYTES")
INGRESS_IFINDEX: Final = constant("INGRESS_IFINDEX")

MIN_FRAME: Final = 14  # ETH_HLEN
META_MAX: Final = 255
PAGE: Final = 4096
INT_MIN: Final = -0x8000_0000

EACCES: Final = 13
EFAULT: Final = 14
EINVAL: Final = 22


@inline
def length_of(ctx: ptr) -> u64:
    """The whole frame's bytes."""
    return load_u64(ctx + DATA_END) - load_u64(ctx + DATA) + load_u64(ctx + FRAGS_BYTES)


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


@inline
def move_last_page(ctx: ptr, by: i64) -> i64:
    """A frame of several pages: the last one grows in its page, or pages go from the end."""
    frags = load_u64(ctx + FRAGS_BYTES)
    if by >= 0:
        used = (frags + (PAGE - 1)) // PAGE * PAGE
        if u64(by) > used - frags:
            return i64(-EINVAL)
        clear(load_ptr(ctx + DATA_END) + frags, u64(by))
        store_u64(ctx + FRAGS_BYTES, frags + u64(by))
        return i64(0)
    if by == INT_MIN:  # Linux negates it in 32 bits, where it stays what it is
        return i64(0)
    less = u64(0 - by)
    if i64(less) > i64(length_of(ctx)) - MIN_FRAME:
        return i64(-EINVAL)
    if less < frags:
        store_u64(ctx + FRAGS_BYTES, frags - less)
    else:
        store_u64(ctx + FRAGS_BYTES, 0)
        store_u64(ctx + DATA_END, load_u64(ctx + DATA_END) - (less - frags))
    return i64(0)


@export
@cold
def xdp_adjust_tail(rt: ptr, ctx: ptr, delta: i64) -> i64:
    """Move the packet's end; what is gained reads as zeros."""
    by = i64(i32(delta))
    if load_u64(ctx + FRAGS_BYTES) != 0:
        return move_last_page(ctx, by)
    end = i64(load_u64(ctx + DATA_END)) + by
    if end > i64(load_u64(ctx + HARD_END)):
        return i64(-EINVAL)
    if end < i64(load_u64(ctx + DATA)) + MIN_FRAME:
        return i64(-EINVAL)
    if by > 0:
        clear(load_ptr(ctx + DATA_END), u64(by))
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


@export
@inline
def xdp_get_buff_len(rt: ptr, ctx: ptr) -> i64:
    """The whole frame's bytes."""
    return i64(length_of(ctx))


@inline
def refused(ctx: ptr, at: u32, size: u32) -> i64:
    """Why bytes cannot be reached; 0 where they can."""
    if at > 0xFFFF or size > 0xFFFF:
        return i64(-EFAULT)
    if u64(at) + u64(size) > length_of(ctx):
        return i64(-EINVAL)
    return i64(0)


@export
@cold
def xdp_load_bytes(rt: ptr, ctx: ptr, offset: i64, to: ptr, size: i64) -> i64:
    """Copy from anywhere in the frame."""
    problem = refused(ctx, u32(offset), u32(size))
    if problem == 0:
        move(to, load_ptr(ctx + DATA) + u64(u32(offset)), u64(u32(size)))
    return problem


@export
@cold
def xdp_store_bytes(rt: ptr, ctx: ptr, offset: i64, source: ptr, size: i64) -> i64:
    """Write anywhere in the frame."""
    problem = refused(ctx, u32(offset), u32(size))
    if problem == 0:
        move(load_ptr(ctx + DATA) + u64(u32(offset)), source, u64(u32(size)))
    return problem


@export
@cold
def check_mtu(rt: ptr, ctx: ptr, ifindex: i64, length: ptr, diff: i64, flags: i64) -> i64:
    """Whether the frame fits a device; writes the device's MTU."""
    if flags != 0:
        return i64(-EINVAL)
    device = u32(ifindex)
    if device == 0:
        device = load_u32(ctx + INGRESS_IFINDEX)
    return check(rt, device, length, u32(length_of(ctx)), u32(diff))
