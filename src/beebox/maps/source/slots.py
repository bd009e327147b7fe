"""Arrays whose elements may be absent: of maps, programs, devices, CPUs and sockets.

A slot is a word, 0 where nothing is there, and 8 bytes for a value. The word of a map or program is
its address. Only user space writes slots; offsets are ``maps.layout``'s.
"""

from __future__ import annotations

from typing import Final

from beebox.compiler.dialect import (
    cold,
    constant,
    copy,
    export,
    i64,
    inline,
    load_ptr,
    load_u32,
    load_u64,
    load_u64_acquire,
    ptr,
    storage,
    store_u32,
    store_u64,
    store_u64_release,
    u32,
    u64,
)
from beebox.maps.source.redirect import KEY_AT, record, refused

ELEMENTS: Final = constant("ELEMENTS")
STRIDE: Final = constant("STRIDE")
MAX_ENTRIES: Final = constant("MAX_ENTRIES")
VALUE: Final = constant("VALUE")
VALUE_SIZE: Final = constant("VALUE_SIZE")
INDIRECT: Final = constant("INDIRECT")  # a lookup gives what the word points to
TAIL_CALLS: Final = constant("RT_TAIL_CALLS")
MAX_TAIL_CALLS: Final = constant("MAX_TAIL_CALLS")


@inline
def slot(index: u32) -> ptr:
    """The slot's first byte."""
    return storage() + (ELEMENTS + u64(index) * STRIDE)


@export
@inline
def lookup(rt: ptr, key: ptr) -> ptr | None:
    """What the slot holds: an inner map's handle, or the value's address; None where empty."""
    index = load_u32(key)
    if index >= MAX_ENTRIES:
        return None
    if INDIRECT:
        return load_ptr(slot(index))
    if load_u64_acquire(slot(index)) == 0:
        return None
    return slot(index) + VALUE


@export
@inline
def redirect(rt: ptr, key: u64, flags: u64) -> i64:
    """bpf_redirect_map: take the slot's value as the packet's target."""
    if refused(flags):
        return i64(0)
    store_u64(rt + KEY_AT, key)
    return record(rt, lookup(rt, rt + KEY_AT), flags)


@export
@inline
def tail_call(rt: ptr, index: u64) -> ptr | None:
    """The native code to go on with, counted; None past the limit and where the slot is empty."""
    number = u32(index & 0xFFFF_FFFF)
    if number >= MAX_ENTRIES:
        return None
    count = load_u32(rt + TAIL_CALLS)
    if count >= MAX_TAIL_CALLS:
        return None
    if load_u64_acquire(slot(number)) == 0:
        return None
    store_u32(rt + TAIL_CALLS, count + 1)
    return load_ptr(slot(number))


@export
@cold
def assign(index: u64, word: u64, value: ptr) -> u64:
    """Fill or empty a slot, for user space; what its word was."""
    here = slot(u32(index & 0xFFFF_FFFF))
    before = load_u64(here)
    copy(here + VALUE, value, VALUE_SIZE)
    store_u64_release(here, word)
    return before
