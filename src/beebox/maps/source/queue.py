"""QUEUE and STACK: a ring of values under one lock, first or last in first out.

Offsets are ``maps.layout``'s; results are Linux's negative errno values.
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
    load_u32,
    ptr,
    storage,
    store_u32,
    u32,
    u64,
    zero,
)
from beebox.maps.source.locks import lock, unlock

FIRST: Final = constant("FIRST")  # the oldest value's number, in the header
COUNT: Final = constant("COUNT")
ELEMENTS: Final = constant("ELEMENTS")
STRIDE: Final = constant("STRIDE")
VALUE_SIZE: Final = constant("VALUE_SIZE")
MAX_ENTRIES: Final = constant("MAX_ENTRIES")
LAST_FIRST: Final = constant("LAST_FIRST")  # a stack

EXIST: Final = 2
ENOENT: Final = 2
E2BIG: Final = 7
EINVAL: Final = 22


@inline
def place(number: u32) -> ptr:
    """The value that is ``number`` after the oldest one."""
    at = u64(load_u32(storage() + FIRST)) + u64(number)
    if at >= MAX_ENTRIES:
        at -= MAX_ENTRIES
    return storage() + (ELEMENTS + at * STRIDE)


@inline
def drop_oldest() -> None:
    """Forget the oldest value."""
    first = load_u32(storage() + FIRST) + 1
    if first == MAX_ENTRIES:
        first = u32(0)
    store_u32(storage() + FIRST, first)
    store_u32(storage() + COUNT, load_u32(storage() + COUNT) - 1)


@export
@inline
def push(rt: ptr, value: ptr, flags: u64) -> i64:
    """bpf_map_push_elem: BPF_EXIST overwrites the oldest value of a full map."""
    if flags != 0:
        if flags != EXIST:
            return i64(-EINVAL)
    result = i64(0)
    lock()
    if load_u32(storage() + COUNT) == MAX_ENTRIES:
        if flags == EXIST:
            drop_oldest()
        else:
            result = i64(-E2BIG)
    if result == 0:
        count = load_u32(storage() + COUNT)
        copy(place(count), value, VALUE_SIZE)
        store_u32(storage() + COUNT, count + 1)
    unlock()
    return result


@inline
def get(value: ptr, remove: bool) -> i64:
    """The next value; zeros where there is none."""
    result = i64(0)
    lock()
    count = load_u32(storage() + COUNT)
    if count == 0:
        zero(value, VALUE_SIZE)
        result = i64(-ENOENT)
    elif LAST_FIRST:
        copy(value, place(count - 1), VALUE_SIZE)
        if remove:
            store_u32(storage() + COUNT, count - 1)
    else:
        copy(value, place(0), VALUE_SIZE)
        if remove:
            drop_oldest()
    unlock()
    return result


@export
@inline
def pop(rt: ptr, value: ptr) -> i64:
    """bpf_map_pop_elem."""
    return get(value, True)


@export
@inline
def peek(rt: ptr, value: ptr) -> i64:
    """bpf_map_peek_elem."""
    return get(value, False)


@export
@cold
def hold() -> None:
    """Keep others out, while user space copies the values."""
    lock()


@export
@cold
def release() -> None:
    """Let others in again."""
    unlock()
