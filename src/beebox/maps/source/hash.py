"""HASH and PERCPU_HASH: chained buckets, lookups without a lock.

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
    load_u8,
    load_u16,
    load_u32,
    load_u32_acquire,
    load_u32_relaxed,
    load_u64,
    pause,
    ptr,
    storage,
    store_u32,
    store_u32_relaxed,
    store_u32_release,
    u32,
    u64,
    unlikely,
    xchg_u32_acquire,
    zero,
)

LOCK: Final = constant("LOCK")
SEED: Final = constant("SEED")
HIGH_WATER: Final = constant("HIGH_WATER")
FREE_COUNT: Final = constant("FREE_COUNT")
COUNT: Final = constant("COUNT")
BUCKETS: Final = constant("BUCKETS")
FREE_STACK: Final = constant("FREE_STACK")
STRIDE: Final = constant("STRIDE")
KEY: Final = constant("KEY")
VALUE: Final = constant("VALUE")
VALUE_STRIDE: Final = constant("VALUE_STRIDE")
KEY_SIZE: Final = constant("KEY_SIZE")
VALUE_SIZE: Final = constant("VALUE_SIZE")
USER_VALUE_SIZE: Final = constant("USER_VALUE_SIZE")  # what user space gives: all CPUs
BUCKET_MASK: Final = constant("BUCKET_MASK")
ELEMENTS: Final = constant("ELEMENTS")
MAX_ENTRIES: Final = constant("MAX_ENTRIES")
HAS_TAG: Final = constant("HAS_TAG")
PER_CPU: Final = constant("PER_CPU")
CPUS: Final = constant("CPUS")
RT_CPU: Final = constant("RT_CPU")  # the running CPU's number in the runtime block

TAG: Final = 4  # next is at 0
END: Final = 0x8000_0000  # an end mark is END | bucket
WORDS: Final = KEY_SIZE // 8 * 8  # bytes of the key that are whole 64-bit words
MULTIPLIER: Final = 0x9E37_79B9_7F4A_7C15  # odd, bits well spread: 2^64 divided by the golden ratio

NOEXIST: Final = 1
EXIST: Final = 2
ENOENT: Final = 2
E2BIG: Final = 7
EEXIST: Final = 17
EINVAL: Final = 22


@inline
def key_tail(key: ptr) -> u64:
    """The last KEY_SIZE % 8 bytes of a key, as a number."""
    tail = u64(0)
    if KEY_SIZE & 4:
        tail = u64(load_u32(key + WORDS))
    if KEY_SIZE & 2:
        tail = (tail << 16) | u64(load_u16(key + (WORDS + (KEY_SIZE & 4))))
    if KEY_SIZE & 1:
        tail = (tail << 8) | u64(load_u8(key + (KEY_SIZE - 1)))
    return tail


@inline
def mix(state: u64, word: u64) -> u64:
    """Fold one word in: the product's high bits are the good ones, so they come down."""
    product = (state ^ word) * MULTIPLIER
    return product ^ (product >> 32)


@inline
def hash_key(key: ptr) -> u64:
    """The key's hash under this map's seed."""
    state = load_u64(storage() + SEED)
    at = u64(0)
    while at < WORDS:
        state = mix(state, load_u64(key + at))
        at += 8
    if KEY_SIZE % 8:
        state = mix(state, key_tail(key))
    return state


@inline
def same_key(a: ptr, b: ptr) -> bool:
    """Whether two keys hold the same bytes."""
    difference = u64(0)
    at = u64(0)
    while at < WORDS:
        difference |= load_u64(a + at) ^ load_u64(b + at)
        at += 8
    if KEY_SIZE % 8:
        difference |= key_tail(a) ^ key_tail(b)
    return difference == 0


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
def element(number: u32) -> ptr:
    """The element's first byte; numbers start at 1."""
    return storage() + (ELEMENTS + (u64(number) - 1) * STRIDE)


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
def lock() -> None:
    """Take the writers' lock, reading while it is held so that its cache line stays shared."""
    while xchg_u32_acquire(storage() + LOCK, 1) != 0:
        while load_u32_relaxed(storage() + LOCK) != 0:
            pause()


@inline
def unlock() -> None:
    """Give the writers' lock back, publishing what was written under it."""
    store_u32_release(storage() + LOCK, 0)


@export
@inline
def lookup(rt: ptr, key: ptr) -> ptr | None:
    """The value's address, or None."""
    found = find(key, hash_key(key))
    if found is None:
        return None
    return value_slot(rt, found)


@inline
def take_element() -> u32:
    """The number of an unused element, 0 when there is none. Under the lock."""
    free = load_u32(storage() + FREE_COUNT)
    if free != 0:
        store_u32(storage() + FREE_COUNT, free - 1)
        return load_u32(storage() + (FREE_STACK + u64(free - 1) * 4))
    used = load_u32(storage() + HIGH_WATER)
    if used == MAX_ENTRIES:
        return u32(0)
    store_u32(storage() + HIGH_WATER, used + 1)
    return used + 1


@inline
def publish(number: u32, key: ptr, hashed: u64) -> None:
    """Make a filled element the first of its bucket. Under the lock."""
    here = element(number)
    if HAS_TAG:
        store_u32(here + TAG, tag_of(hashed))
    copy(here + KEY, key, KEY_SIZE)
    head = head_of(bucket_of(hashed))
    first = load_u32(head)
    if first == 0:
        first = END | bucket_of(hashed)
    store_u32_relaxed(here, first)
    store_u32_release(head, number)
    store_u32(storage() + COUNT, load_u32(storage() + COUNT) + 1)


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
        elif every_cpu:
            store_all(found, value)
        else:
            store_value(found, value, load_u32(rt + RT_CPU), False)
    elif flags == EXIST:
        result = i64(-ENOENT)
    else:
        number = take_element()
        if unlikely(number == 0):
            result = i64(-E2BIG)
        else:
            if every_cpu:
                store_all(element(number), value)
            else:
                store_value(element(number), value, load_u32(rt + RT_CPU), True)
            publish(number, key, hashed)
    unlock()
    return result


@export
@cold
def update(rt: ptr, key: ptr, value: ptr, flags: u64) -> i64:
    """bpf_map_update_elem: this CPU's value."""
    return place(rt, key, value, flags, False)


@export
@cold
def delete(rt: ptr, key: ptr) -> i64:
    """bpf_map_delete_elem."""
    hashed = hash_key(key)
    bucket = bucket_of(hashed)
    result = i64(-ENOENT)
    lock()
    before = head_of(bucket)
    link = load_u32(before)
    while is_element(link):
        here = element(link)
        if holds(here, key, tag_of(hashed)):
            store_u32_release(before, load_u32(here))
            free = load_u32(storage() + FREE_COUNT)
            store_u32(storage() + (FREE_STACK + u64(free) * 4), link)
            store_u32(storage() + FREE_COUNT, free + 1)
            store_u32(storage() + COUNT, load_u32(storage() + COUNT) - 1)
            result = i64(0)
            break
        before = here
        link = load_u32(here)
    unlock()
    return result


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
