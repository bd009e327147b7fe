"""ARRAY and PERCPU_ARRAY: every element exists from the start, zeroed.

Offsets are ``maps.layout``'s; results are Linux's negative errno values. Nothing is locked: values
of up to 8 aligned bytes are read and written whole, longer ones may be seen half written.
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
    u32,
    u64,
)

ELEMENTS: Final = constant("ELEMENTS")
STRIDE: Final = constant("STRIDE")
VALUE_STRIDE: Final = constant("VALUE_STRIDE")
VALUE_SIZE: Final = constant("VALUE_SIZE")
USER_VALUE_SIZE: Final = constant("USER_VALUE_SIZE")  # what user space gives: all CPUs
MAX_ENTRIES: Final = constant("MAX_ENTRIES")
PER_CPU: Final = constant("PER_CPU")
CPUS: Final = constant("CPUS")
RT_CPU: Final = constant("RT_CPU")  # the running CPU's number in the runtime block

NOEXIST: Final = 1
EXIST: Final = 2
LOCK: Final = 4
E2BIG: Final = 7
EEXIST: Final = 17
EINVAL: Final = 22


@inline
def slot(rt: ptr, index: u32) -> ptr:
    """An element's value, on the running CPU where each has its own."""
    at = ELEMENTS + u64(index) * STRIDE
    if PER_CPU:
        return storage() + (at + u64(load_u32(rt + RT_CPU)) * VALUE_STRIDE)
    return storage() + at


@export
@inline
def lookup(rt: ptr, key: ptr) -> ptr | None:
    """The value's address, or None past the end."""
    index = load_u32(key)
    if index >= MAX_ENTRIES:
        return None
    return slot(rt, index)


@export
@inline
def lookup_percpu(rt: ptr, key: ptr, cpu: u64) -> ptr | None:
    """bpf_map_lookup_percpu_elem: the value of the CPU whose number is the low half of ``cpu``."""
    number = u32(cpu & 0xFFFF_FFFF)
    index = load_u32(key)
    if index >= MAX_ENTRIES:
        return None
    if number >= CPUS:
        return None
    return storage() + (ELEMENTS + u64(index) * STRIDE + u64(number) * VALUE_STRIDE)


@export
@cold
def lookup_unmarked(rt: ptr, key: ptr) -> ptr | None:
    """All CPUs' values, for user space."""
    index = load_u32(key)
    if index >= MAX_ENTRIES:
        return None
    return storage() + (ELEMENTS + u64(index) * STRIDE)


@inline
def refusal(index: u32, flags: u64) -> i64:
    """Why an update cannot be, in Linux's order of checks; 0 when it can."""
    if flags & u64(~LOCK) > EXIST:
        return i64(-EINVAL)
    if index >= MAX_ENTRIES:
        return i64(-E2BIG)
    if flags & NOEXIST != 0:
        return i64(-EEXIST)
    if flags & LOCK != 0:
        return i64(-EINVAL)  # no value here holds a bpf_spin_lock
    return i64(0)


@export
@inline
def update(rt: ptr, key: ptr, value: ptr, flags: u64) -> i64:
    """bpf_map_update_elem: this CPU's value."""
    index = load_u32(key)
    refused = refusal(index, flags)
    if refused != 0:
        return refused
    copy(slot(rt, index), value, VALUE_SIZE)
    return i64(0)


@export
@inline
def delete(rt: ptr, key: ptr) -> i64:
    """bpf_map_delete_elem: an array's elements stay."""
    return i64(-EINVAL)


@inline
def store_all(index: u32, values: ptr) -> None:
    """Write every CPU's value from slots as wide as the element's own."""
    here = storage() + (ELEMENTS + u64(index) * STRIDE)
    if PER_CPU:
        cpu = u32(0)
        while cpu < CPUS:
            at = u64(cpu) * VALUE_STRIDE
            copy(here + at, values + at, VALUE_STRIDE)
            cpu += 1
    else:
        copy(here, values, VALUE_SIZE)


@export
@cold
def update_all(rt: ptr, keys: ptr, values: ptr, count: u64, flags: u64) -> i64:
    """User space's update of ``count`` elements: all CPUs' values, each slot padded to 8 bytes.

    Keys and values lie end to end. Stops at the first failure and returns its errno.
    """
    if flags > EXIST:
        return i64(-EINVAL)  # bpf(2) looks at the flags first
    done = u64(0)
    while done < count:
        index = load_u32(keys)
        refused = refusal(index, flags)
        if refused != 0:
            return refused
        store_all(index, values)
        keys = keys + 4
        values = values + USER_VALUE_SIZE
        done += 1
    return i64(0)


@export
def hold() -> None:
    """Keep writers out: an array has nothing to keep them out of."""


@export
def release() -> None:
    """Let writers in again."""
