"""Hashes, also per-CPU and LRU ones, and HASH_OF_MAPS: chained buckets, lookups without a lock.

A chain ends in a mark that names its bucket. A reader that was carried into another chain, because
the element under it was deleted and inserted elsewhere, meets a foreign mark and starts again. A
deleted element keeps its ``next``, so such a reader always arrives somewhere. Storage is never
returned, so a value's address stays valid memory after its element is deleted (and may then hold
another key's value: as in Linux, where preallocated elements are reused at once).

Writers hold one spin lock, and look the key up under it. An insert publishes the finished element
with a release store into the bucket; readers follow links with acquire loads.

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
    load_ptr,
    load_u32,
    load_u32_acquire,
    load_u32_relaxed,
    load_u64,
    ptr,
    storage,
    store_u32,
    store_u32_relaxed,
    store_u32_release,
    store_u64,
    u32,
    u64,
    unlikely,
    zero,
)
from beebox.maps.source.keys import KEY_SIZE, hash_bytes, same_key
from beebox.maps.source.locks import lock, unlock
from beebox.maps.source.redirect import KEY_AT, record, refused
from beebox.maps.source.slab import (
    MAX_ENTRIES,
    count_one,
    count_one_less,
    element,
    give_back,
    unused,
)

SEED: Final = constant("SEED")
BUCKETS: Final = constant("BUCKETS")
KEY: Final = constant("KEY")
VALUE: Final = constant("VALUE")
VALUE_STRIDE: Final = constant("VALUE_STRIDE")
VALUE_SIZE: Final = constant("VALUE_SIZE")
USER_VALUE_SIZE: Final = constant("USER_VALUE_SIZE")  # what user space gives: all CPUs
BUCKET_MASK: Final = constant("BUCKET_MASK")
HAS_TAG: Final = constant("HAS_TAG")
PER_CPU: Final = constant("PER_CPU")
CPUS: Final = constant("CPUS")
RT_CPU: Final = constant("RT_CPU")  # the running CPU's number in the runtime block
LRU: Final = constant("LRU")
USED: Final = constant("USED")  # in an element of an LRU: whether it was used lately
HAND: Final = constant("HAND")  # the element that eviction looked at last
INDIRECT: Final = constant("INDIRECT")  # values are addresses, and a lookup gives them
UPSERT: Final = constant("UPSERT")  # BPF_EXIST inserts, too: a devmap_hash's oddity

MOST_SCANNED: Final = 128  # elements that one eviction looks at

TAG: Final = 4  # next is at 0
END: Final = 0x8000_0000  # an end mark is END | bucket

NOEXIST: Final = 1
EXIST: Final = 2
ENOENT: Final = 2
E2BIG: Final = 7
EEXIST: Final = 17
EINVAL: Final = 22


@inline
def hash_key(key: ptr) -> u64:
    """The key's hash under this map's seed."""
    return hash_bytes(key, load_u64(storage() + SEED))


@inline
def bucket_of(hashed: u64) -> u32:
    """The bucket's number."""
    return u32(hashed & BUCKET_MASK)


@inline
def tag_of(hashed: u64) -> u32:
    """Hash bits kept beside a key: one compare spares most of the long ones."""
    return u32((hashed >> 8) & 0xFFFF_FFFF)


@inline
def head_of(bucket: u32) -> ptr:
    """Where a bucket's first link is."""
    return storage() + (BUCKETS + u64(bucket) * 4)


@inline
def is_element(link: u32) -> bool:
    """Whether a link leads on: 0 is a bucket never used, END and above an end mark."""
    return link - 1 < END - 1


@inline
def holds(found: ptr, key: ptr, tag: u32) -> bool:
    """Whether an element has this key."""
    if HAS_TAG:
        if load_u32(found + TAG) != tag:
            return False
    return same_key(found + KEY, key)


@inline
def find(key: ptr, hashed: u64) -> ptr | None:
    """The key's element. Needs no lock."""
    bucket = bucket_of(hashed)
    tag = tag_of(hashed)
    while True:
        link = load_u32_acquire(head_of(bucket))
        while is_element(link):
            here = element(link)
            if holds(here, key, tag):
                return here
            link = load_u32_acquire(here)
        if link == 0:
            return None
        if link == END | bucket:
            return None


@inline
def value_slot(rt: ptr, found: ptr) -> ptr:
    """The value, on the running CPU where each has its own."""
    if PER_CPU:
        return found + (VALUE + u64(load_u32(rt + RT_CPU)) * VALUE_STRIDE)
    return found + VALUE


@inline
def mark_used(found: ptr) -> None:
    """Give an LRU's element a second chance; most often it has one already."""
    if LRU:
        if load_u32_relaxed(found + USED) == 0:
            store_u32_relaxed(found + USED, 1)


@export
@inline
def lookup(rt: ptr, key: ptr) -> ptr | None:
    """The value's address, or None; of a map of maps the inner map's handle."""
    found = find(key, hash_key(key))
    if found is None:
        return None
    mark_used(found)
    if INDIRECT:
        return load_ptr(found + VALUE)
    return value_slot(rt, found)


@export
@cold
def lookup_unmarked(rt: ptr, key: ptr) -> ptr | None:
    """All CPUs' values, for user space: its lookups do not count as use."""
    found = find(key, hash_key(key))
    if found is None:
        return None
    return found + VALUE


@export
@inline
def redirect(rt: ptr, key: u64, flags: u64) -> i64:
    """bpf_redirect_map: take the device behind ``key`` as the packet's target."""
    if refused(flags):
        return i64(0)
    store_u64(rt + KEY_AT, key)
    return record(rt, lookup(rt, rt + KEY_AT), flags)


@export
@inline
def lookup_percpu(rt: ptr, key: ptr, cpu: u64) -> ptr | None:
    """bpf_map_lookup_percpu_elem: the value of the CPU whose number is the low half of ``cpu``."""
    number = u32(cpu & 0xFFFF_FFFF)
    if number >= CPUS:
        return None
    found = find(key, hash_key(key))
    if found is None:
        return None
    mark_used(found)
    return found + (VALUE + u64(number) * VALUE_STRIDE)


@inline
def take_element() -> u32:
    """The number of an element to fill, 0 when the map is full. Under the lock."""
    number = unused()
    if LRU:
        if number == 0:
            return evicted()
    return number


@cold
def evicted() -> u32:
    """The number of an element taken out of its bucket, when all are in use. Under the lock.

    A clock: the hand spares elements that were used since it last passed, but not for ever.
    """
    number = load_u32(storage() + HAND)
    scanned = u32(0)
    while True:
        number += 1
        if number > MAX_ENTRIES:
            number = u32(1)
        if load_u32_relaxed(element(number) + USED) == 0:
            break
        if scanned == MOST_SCANNED:
            break
        store_u32_relaxed(element(number) + USED, 0)
        scanned += 1
    store_u32(storage() + HAND, number)
    before = head_of(bucket_of(hash_key(element(number) + KEY)))
    while True:
        link = load_u32(before)
        if link == number:
            break
        before = element(link)
    unlink(before, number)
    return number


@inline
def unlink(before: ptr, number: u32) -> None:
    """Take an element out of its bucket; ``before`` is the link to it. Under the lock."""
    store_u32_release(before, load_u32(element(number)))
    count_one_less()


@inline
def publish(number: u32, hashed: u64) -> None:
    """Make a filled element the first of its bucket. Under the lock."""
    here = element(number)
    if LRU:  # eviction finds it by the key that it has; the one given may have changed since
        hashed = hash_key(here + KEY)
    if HAS_TAG:
        store_u32(here + TAG, tag_of(hashed))
    if LRU:
        store_u32_relaxed(here + USED, 0)
    head = head_of(bucket_of(hashed))
    first = load_u32(head)
    if first == 0:
        first = END | bucket_of(hashed)
    store_u32_relaxed(here, first)
    store_u32_release(head, number)
    count_one()


@inline
def store_value(found: ptr, value: ptr, cpu: u32, fresh: bool) -> None:
    """Write one CPU's value; a fresh element's other slots become zero."""
    if PER_CPU:
        if fresh:
            slot = u32(0)
            while slot < CPUS:
                zero(found + (VALUE + u64(slot) * VALUE_STRIDE), VALUE_STRIDE)
                slot += 1
        copy(found + (VALUE + u64(cpu) * VALUE_STRIDE), value, VALUE_SIZE)
    else:
        copy(found + VALUE, value, VALUE_SIZE)


@inline
def store_all(found: ptr, values: ptr) -> None:
    """Write every CPU's value from slots as wide as the element's own."""
    if PER_CPU:
        slot = u32(0)
        while slot < CPUS:
            at = u64(slot) * VALUE_STRIDE
            copy(found + (VALUE + at), values + at, VALUE_STRIDE)
            slot += 1
    else:
        copy(found + VALUE, values, VALUE_SIZE)


@inline
def must_exist(flags: u64) -> bool:
    """Whether an update of a missing key fails."""
    if UPSERT:
        return False
    return flags == EXIST


@inline
def place(rt: ptr, key: ptr, value: ptr, flags: u64, every_cpu: bool) -> i64:
    """Update or insert under the lock: Linux's order of checks, so Linux's errno."""
    if flags > EXIST:
        return i64(-EINVAL)
    hashed = hash_key(key)
    result = i64(0)
    lock()
    found = find(key, hashed)
    if found is not None:
        if flags == NOEXIST:
            result = i64(-EEXIST)
        else:
            mark_used(found)
            if every_cpu:
                store_all(found, value)
            else:
                store_value(found, value, load_u32(rt + RT_CPU), False)
    elif must_exist(flags):
        result = i64(-ENOENT)
    else:
        number = take_element()
        if unlikely(number == 0):
            result = i64(-E2BIG)
        else:
            copy(element(number) + KEY, key, KEY_SIZE)  # before the value: it may lie in there
            if every_cpu:
                store_all(element(number), value)
            else:
                store_value(element(number), value, load_u32(rt + RT_CPU), True)
            publish(number, hashed)
    unlock()
    return result


@export
@cold
def update(rt: ptr, key: ptr, value: ptr, flags: u64) -> i64:
    """bpf_map_update_elem: this CPU's value."""
    return place(rt, key, value, flags, False)


@inline
def remove(key: ptr, values: ptr, keep: bool) -> i64:
    """Delete an element, its values copied to ``values`` first where they are wanted."""
    hashed = hash_key(key)
    bucket = bucket_of(hashed)
    result = i64(-ENOENT)
    lock()
    before = head_of(bucket)
    link = load_u32(before)
    while is_element(link):
        here = element(link)
        if holds(here, key, tag_of(hashed)):
            if keep:
                if PER_CPU:
                    copy(values, here + VALUE, USER_VALUE_SIZE)
                else:
                    copy(values, here + VALUE, VALUE_SIZE)
            unlink(before, link)
            give_back(link)
            result = i64(0)
            break
        before = here
        link = load_u32(here)
    unlock()
    return result


@export
@cold
def delete(rt: ptr, key: ptr) -> i64:
    """bpf_map_delete_elem."""
    return remove(key, key, False)


@export
@cold
def take(rt: ptr, key: ptr, values: ptr) -> i64:
    """BPF_MAP_LOOKUP_AND_DELETE_ELEM: all CPUs' values, and the element is gone."""
    return remove(key, values, True)


@export
@cold
def update_all(rt: ptr, keys: ptr, values: ptr, count: u64, flags: u64) -> i64:
    """User space's update of ``count`` elements: all CPUs' values, each slot padded to 8 bytes.

    Keys and values lie end to end. Stops at the first failure and returns its errno.
    """
    done = u64(0)
    while done < count:
        result = place(rt, keys, values, flags, True)
        if result != 0:
            return result
        keys = keys + KEY_SIZE
        values = values + USER_VALUE_SIZE
        done += 1
    return i64(0)


@export
def hold() -> None:
    """Keep writers out, while user space copies the elements."""
    lock()


@export
def release() -> None:
    """Let writers in again."""
    unlock()
