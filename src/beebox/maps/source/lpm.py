"""LPM_TRIE: longest prefix match, in tables of 4 bits below a first one of 8 or 12.

A table has a slot for each value of its bits: the longest prefix that ends in this table and covers
the value, and what follows: another table, or the only prefix there is behind the slot (a leaf).
Tables that would decide nothing are left out, so a lookup may pass bits that it never compared: it
ends by comparing the prefix it found, and looks a second time, comparing all the way, where that
was not the one.

A prefix of ``length`` bits that is no leaf ends in the table of depth d with d < length <= d + 4
(the first table: length <= ROOT_BITS); there ``exact`` holds it, in a heap: the prefix of r bits of
value v at (1 << r) | v. In every table but the first, two prefixes end or follow at least. Readers
take no lock: a sequence number, odd while a writer works, tells them to look again. A writer keeps
every link valid at every moment, and depths grow along any path.

Offsets are ``maps.layout``'s; results are Linux's negative errno values.
"""

from __future__ import annotations

from typing import Final

from beebox.compiler.dialect import (
    cold,
    constant,
    copy,
    export,
    fence_acquire,
    fence_release,
    i64,
    inline,
    likely,
    load_u32,
    load_u32_acquire,
    load_u32_relaxed,
    pause,
    ptr,
    storage,
    store_u32,
    store_u32_relaxed,
    store_u32_release,
    u32,
    u64,
)
from beebox.maps.source.locks import lock, unlock
from beebox.maps.source.lpm_changes import exactly, insert, withdraw
from beebox.maps.source.lpm_tables import (
    DATA,
    LINK,
    NODES,
    ROOT,
    SLOT,
    SLOTS,
    bits_of,
    depth_in,
    exact_at,
    is_leaf,
    mask_of,
    matches,
    number_in,
    place_of,
    slots_of,
)
from beebox.maps.source.prefixes import (
    DATA_SIZE,
    common_bits,
    nibble,
    root_index,
    store_host_bits,
    store_mask,
)
from beebox.maps.source.slab import count_one, count_one_less, element, give_back, unused

SEQUENCE: Final = constant("SEQUENCE")
VALUE: Final = constant("VALUE")
VALUE_SIZE: Final = constant("VALUE_SIZE")
USER_VALUE_SIZE: Final = constant("USER_VALUE_SIZE")
KEY_SIZE: Final = constant("KEY_SIZE")
MAX_LENGTH: Final = DATA_SIZE * 8
EXIST: Final = 2
NOEXIST: Final = 1
ENOENT: Final = 2
EEXIST: Final = 17
EINVAL: Final = 22
ENOSPC: Final = 28


@inline
def longest_in(number: u32, depth: u32, data: ptr, limit: u32) -> u32:
    """The longest prefix of an address in one table, of ``limit`` bits at most; 0: none."""
    own = limit - depth
    if own > bits_of(number):
        own = bits_of(number)
    at = place_of(number, depth, data, depth + own)
    while at != 0:
        found = load_u32_relaxed(exact_at(number, at))
        if found != 0:
            return found
        at = at >> 1
    return u32(0)


@cold
def shorter(data: ptr, wrong: u32, length: u32) -> u32:
    """The longest prefix of an address whose way ends at ``wrong``, which does not match."""
    most = load_u32(element(wrong))
    if length < most:
        most = length
    limit = common_bits(data, element(wrong) + DATA, most)
    best = longest_in(u32(0), u32(0), data, limit)
    link = load_u32_relaxed(slots_of(u32(0)) + u64(root_index(data)) * SLOT + LINK)
    depth = u32(0)
    while link != 0:
        if is_leaf(link):
            break
        if depth_in(link) <= depth:
            break
        depth = depth_in(link)
        if depth >= limit:
            break
        number = number_in(link)
        found = longest_in(number, depth, data, limit)
        if found != 0:
            best = found
        link = load_u32_relaxed(slots_of(number) + u64(nibble(data, depth)) * SLOT + LINK)
    return best


@inline
def match(data: ptr, length: u32) -> u32:
    """The longest prefix of an address, of ``length`` bits at most; 0: none."""
    slot = storage() + (ROOT + u64(root_index(data)) * SLOT)
    depth = u32(0)
    best = u32(0)
    while True:
        found = load_u32_relaxed(slot)
        if found != 0:
            best = found
        link = load_u32_relaxed(slot + LINK)
        if link == 0:
            break
        if is_leaf(link):
            leaf = link >> 1
            if likely(matches(leaf, data, length)):
                return leaf
            if best != 0:
                if matches(best, data, length):
                    return best
            return shorter(data, leaf, length)
        if depth_in(link) <= depth:  # half written: the sequence number will tell
            return best
        depth = depth_in(link)
        slot = (
            storage()
            + (NODES - SLOTS + u64(number_in(link)) * SLOTS)
            + u64(nibble(data, depth)) * SLOT
        )
    if best == 0:
        return best
    if likely(matches(best, data, length)):
        return best
    return shorter(data, best, length)


@export
@inline
def lookup(rt: ptr, key: ptr) -> ptr | None:
    """The value of the longest prefix that covers the key, of the key's own length at most."""
    length = load_u32(key)
    if length > MAX_LENGTH:
        return None
    while True:
        sequence = load_u32_acquire(storage() + SEQUENCE)
        if likely(sequence & 1 == 0):
            number = match(key + DATA, length)
            fence_acquire()
            if likely(load_u32_relaxed(storage() + SEQUENCE) == sequence):
                if number == 0:
                    return None
                return element(number) + VALUE
        pause()


@export
@cold
def lookup_unmarked(rt: ptr, key: ptr) -> ptr | None:
    """The same, for user space."""
    return lookup(rt, key)


@inline
def begin() -> None:
    """Readers look again from here on."""
    store_u32_relaxed(storage() + SEQUENCE, load_u32(storage() + SEQUENCE) + 1)
    fence_release()


@inline
def finish() -> None:
    """Readers may rely on what they see."""
    store_u32_release(storage() + SEQUENCE, load_u32(storage() + SEQUENCE) + 1)


@inline
def put(key: ptr, value: ptr, flags: u64) -> i64:
    """Update or insert: Linux's order of checks, so Linux's errno."""
    length = load_u32(key)
    if flags > EXIST:
        return i64(-EINVAL)
    if length > MAX_LENGTH:
        return i64(-EINVAL)
    result = i64(0)
    lock()
    given = key
    fresh = unused()
    if fresh != 0:  # of what is copied: others may write the key meanwhile, where it is in a value
        given = element(fresh)
        copy(given, key, KEY_SIZE)
        store_u32(given, length)
    number = exactly(given, length)
    if number != 0:
        if flags == NOEXIST:
            result = i64(-EEXIST)
        else:
            store_host_bits(element(number) + DATA, given + DATA, length)
            copy(element(number) + VALUE, value, VALUE_SIZE)
    elif flags == EXIST:
        result = i64(-ENOENT)
    elif fresh == 0:
        result = i64(-ENOSPC)
    else:
        begin()
        store_mask(mask_of(length), length)
        copy(element(fresh) + VALUE, value, VALUE_SIZE)
        insert(fresh)
        count_one()
        finish()
        fresh = u32(0)
    if fresh != 0:
        give_back(fresh)
    unlock()
    return result


@export
@cold
def update(rt: ptr, key: ptr, value: ptr, flags: u64) -> i64:
    """bpf_map_update_elem."""
    return put(key, value, flags)


@export
@cold
def delete(rt: ptr, key: ptr) -> i64:
    """bpf_map_delete_elem: of this very prefix."""
    length = load_u32(key)
    if length > MAX_LENGTH:
        return i64(-EINVAL)
    result = i64(-ENOENT)
    lock()
    number = exactly(key, length)
    if number != 0:
        begin()
        withdraw(number)
        give_back(number)
        count_one_less()
        finish()
        result = i64(0)
    unlock()
    return result


@export
@cold
def update_all(rt: ptr, keys: ptr, values: ptr, count: u64, flags: u64) -> i64:
    """User space's update of ``count`` elements; keys and values lie end to end."""
    done = u64(0)
    while done < count:
        result = put(keys, values, flags)
        if result != 0:
            return result
        keys = keys + KEY_SIZE
        values = values + USER_VALUE_SIZE
        done += 1
    return i64(0)


@export
@cold
def hold() -> None:
    """Keep writers out, while user space copies the elements."""
    lock()


@export
@cold
def release() -> None:
    """Let writers in again."""
    unlock()
