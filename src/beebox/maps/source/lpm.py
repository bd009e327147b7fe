"""LPM_TRIE: longest prefix match, in tables of 4 bits below a first one of 8 or 12.

A table has a slot for each value of its bits: the longest prefix that ends in this table and covers
the value, and the next table. Tables that would decide nothing are left out, so a lookup may pass
bits that it never compared: it ends by comparing the one prefix it found, and looks a second time,
comparing all the way, where that was not the one.

A prefix of ``length`` bits ends in the table of depth d with d < length <= d + 4 (the first table:
length <= ROOT_BITS); there ``exact`` holds it, in a heap: the prefix of r bits of value v at
(1 << r) | v. Readers take no lock: a sequence number, odd while a writer works, tells them to look
again. A writer keeps every link valid at every moment, and depths grow along any path.

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
    zero,
)
from beebox.maps.source.locks import lock, unlock
from beebox.maps.source.prefixes import (
    DATA_SIZE,
    ROOT_BITS,
    common_bits,
    differs,
    nibble,
    root_index,
    store_mask,
)
from beebox.maps.source.slab import count_one, count_one_less, element, give_back, unused

SEQUENCE: Final = constant("SEQUENCE")
NODES_USED: Final = constant("NODES_USED")  # the highest number of a table ever used
NODES_FREE: Final = constant("NODES_FREE")  # a table to use again; its NODE_PREFIXES has the next
ROOT: Final = constant("ROOT")
NODES: Final = constant("NODES")
NODE_STRIDE: Final = constant("NODE_STRIDE")
NODE_PREFIXES: Final = constant("NODE_PREFIXES")  # in a table: how many end here
NODE_CHILDREN: Final = constant("NODE_CHILDREN")  # in a table: how many tables follow
NODE_PATH: Final = constant("NODE_PATH")  # in a table: an address that leads here
MASK: Final = constant("MASK")  # in an element
VALUE: Final = constant("VALUE")
VALUE_SIZE: Final = constant("VALUE_SIZE")
USER_VALUE_SIZE: Final = constant("USER_VALUE_SIZE")
KEY_SIZE: Final = constant("KEY_SIZE")

DATA: Final = 4  # in a key and an element, behind the length
MAX_LENGTH: Final = DATA_SIZE * 8
SLOT: Final = 16  # bytes: best's number, next table, its depth, best's length
NEXT: Final = 4
DEPTH: Final = 8
LENGTH: Final = 12
NODE_EXACT: Final = 16 * SLOT
ROOT_EXACT: Final = (1 << ROOT_BITS) * SLOT

EXIST: Final = 2
NOEXIST: Final = 1
ENOENT: Final = 2
EEXIST: Final = 17
EINVAL: Final = 22
ENOSPC: Final = 28


@inline
def node(number: u32) -> ptr:
    """A table; 0 is the first one."""
    if number == 0:
        return storage() + ROOT
    return storage() + (NODES + (u64(number) - 1) * NODE_STRIDE)


@inline
def inner(number: u32) -> ptr:
    """A table that is not the first one."""
    return storage() + (NODES + (u64(number) - 1) * NODE_STRIDE)


@inline
def bits_of(number: u32) -> u32:
    """How many bits a table is indexed by."""
    if number == 0:
        return u32(ROOT_BITS)
    return u32(4)


@inline
def index_in(number: u32, depth: u32, data: ptr) -> u32:
    """The slot's number of an address in a table."""
    if number == 0:
        return root_index(data)
    return nibble(data, depth)


@inline
def exact_at(number: u32, position: u32) -> ptr:
    """Where the prefix with this place in a table's heap is."""
    if number == 0:
        return storage() + (ROOT + ROOT_EXACT + u64(position) * 4)
    return inner(number) + (NODE_EXACT + u64(position) * 4)


@inline
def home_of(length: u32) -> u32:
    """The depth of the table that a prefix ends in."""
    if length <= ROOT_BITS:
        return u32(0)
    return ROOT_BITS + ((length - ROOT_BITS - 1) & 0xFFFF_FFFC)


@inline
def place_of(number: u32, depth: u32, data: ptr, length: u32) -> u32:
    """A prefix's place in the heap of the table that it ends in."""
    own = length - depth
    return u32(1) << own | index_in(number, depth, data) >> (bits_of(number) - own)


# ---- lookup


@inline
def deepest(data: ptr) -> u32:
    """The element that ends the way of an address, which need not match it; 0: none does."""
    slot = storage() + (ROOT + u64(root_index(data)) * SLOT)
    depth = u32(0)
    best = u32(0)
    while True:
        found = load_u32_relaxed(slot)
        if found != 0:
            best = found
        following = load_u32_relaxed(slot + NEXT)
        if following == 0:
            return best
        below = load_u32_relaxed(slot + DEPTH)
        if below <= depth:  # half written: the sequence number will tell
            return best
        depth = below
        slot = inner(following) + u64(nibble(data, depth)) * SLOT


@inline
def longest_in(number: u32, depth: u32, data: ptr, limit: u32) -> u32:
    """The longest prefix of an address in one table, of ``limit`` bits at most; 0: none."""
    own = limit - depth
    if own > bits_of(number):
        own = bits_of(number)
    place = place_of(number, depth, data, depth + own)
    while place != 0:
        found = load_u32_relaxed(exact_at(number, place))
        if found != 0:
            return found
        place = place >> 1
    return u32(0)


@cold
def shorter(data: ptr, wrong: u32, length: u32) -> u32:
    """The longest prefix of an address whose way ends at ``wrong``, which does not match."""
    most = load_u32(element(wrong))
    if length < most:
        most = length
    limit = common_bits(data, element(wrong) + DATA, most)
    best = longest_in(u32(0), u32(0), data, limit)
    slot = storage() + (ROOT + u64(root_index(data)) * SLOT)
    depth = u32(0)
    while True:
        following = load_u32_relaxed(slot + NEXT)
        if following == 0:
            return best
        below = load_u32_relaxed(slot + DEPTH)
        if below <= depth:
            return best
        if below >= limit:
            return best
        depth = below
        found = longest_in(following, depth, data, limit)
        if found != 0:
            best = found
        slot = inner(following) + u64(nibble(data, depth)) * SLOT


@inline
def match(key: ptr, length: u32) -> u32:
    """The longest prefix of a key; 0: none."""
    number = deepest(key + DATA)
    if number == 0:
        return number
    found = element(number)
    if likely(load_u32(found) <= length):
        if likely(not differs(key + DATA, found + DATA, found + MASK)):
            return number
    return shorter(key + DATA, number, length)


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
            number = match(key, length)
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


# ---- changes, under the lock


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
def link(slot: ptr, number: u32, depth: u32) -> None:
    """Make a table follow a slot."""
    store_u32_relaxed(slot + DEPTH, depth)
    store_u32_relaxed(slot + NEXT, number)


@inline
def slot_of(number: u32, depth: u32, data: ptr) -> ptr:
    """An address's slot in a table."""
    return node(number) + u64(index_in(number, depth, data)) * SLOT


@inline
def add_children(number: u32, change: u32) -> None:
    """Count the tables that follow one; modulo 2**32, so that all ones take one away."""
    if number != 0:
        at = inner(number) + NODE_CHILDREN
        store_u32(at, load_u32(at) + change)


@inline
def new_node(data: ptr) -> u32:
    """An empty table on the way of an address."""
    number = load_u32(storage() + NODES_FREE)
    if number != 0:
        store_u32(storage() + NODES_FREE, load_u32(inner(number) + NODE_PREFIXES))
        zero(inner(number), NODE_PATH)
    else:
        number = load_u32(storage() + NODES_USED) + 1
        store_u32(storage() + NODES_USED, number)
    copy(inner(number) + NODE_PATH, data, DATA_SIZE)
    return number


@inline
def free_node(number: u32) -> None:
    """Let a table be used again."""
    zero(inner(number), NODE_EXACT)
    store_u32(inner(number) + NODE_PREFIXES, load_u32(storage() + NODES_FREE))
    store_u32(storage() + NODES_FREE, number)


@inline
def home_node(data: ptr, length: u32) -> u32:
    """The table that a prefix shall end in, made where it is missing; the way is split for it."""
    home = home_of(length)
    number = u32(0)
    depth = u32(0)
    while depth != home:
        slot = slot_of(number, depth, data)
        following = load_u32(slot + NEXT)
        if following == 0:
            made = new_node(data)
            link(slot, made, home)
            add_children(number, u32(1))
            return made
        below = load_u32(slot + DEPTH)
        path = inner(following) + NODE_PATH
        split = common_bits(data, path, below) & 0xFFFF_FFFC
        if home < split:
            split = home
        if split == below:
            number = following
        else:
            made = new_node(data)
            link(slot_of(made, split, path), following, below)
            add_children(made, u32(1))
            link(slot, made, split)
            number = made
        depth = split
    return number


@inline
def cover(table: u32, place: u32, old: u32, new: u32, length: u32) -> None:
    """In the slots that a place covers, put ``new`` for ``old``, or (0) for what is shorter."""
    first = place
    last = place
    while first < u32(1) << bits_of(table):
        first = first << 1
        last = last << 1 | 1
    mask = (u32(1) << bits_of(table)) - 1
    index = first & mask
    while index <= last & mask:
        slot = node(table) + u64(index) * SLOT
        replaced = load_u32(slot) == old
        if old == 0:
            replaced = load_u32(slot) == 0
            if not replaced:
                replaced = load_u32(slot + LENGTH) <= length
        if replaced:
            store_u32_relaxed(slot, new)
            store_u32(slot + LENGTH, length)
        index += 1


@inline
def insert(number: u32, key: ptr, length: u32) -> None:
    """Make a filled element part of the tables."""
    data = key + DATA
    table = home_node(data, length)
    place = place_of(table, home_of(length), data, length)
    store_u32_relaxed(exact_at(table, place), number)
    if table != 0:
        at = inner(table) + NODE_PREFIXES
        store_u32(at, load_u32(at) + 1)
    cover(table, place, u32(0), number, length)


@inline
def exactly(key: ptr, length: u32) -> u32:
    """The element of this very prefix; 0: none."""
    data = key + DATA
    home = home_of(length)
    number = u32(0)
    depth = u32(0)
    while depth < home:
        slot = slot_of(number, depth, data)
        number = load_u32(slot + NEXT)
        if number == 0:
            return number
        depth = load_u32(slot + DEPTH)
    if depth != home:
        return u32(0)
    if number != 0:
        if common_bits(data, inner(number) + NODE_PATH, home) != home:
            return u32(0)
    return load_u32(exact_at(number, place_of(number, depth, data, length)))


@inline
def splice(number: u32, slot: ptr) -> None:
    """Leave out a table, behind ``slot``, where no prefix ends and that one table follows."""
    if load_u32(inner(number) + NODE_PREFIXES) == 0:
        if load_u32(inner(number) + NODE_CHILDREN) == 1:
            at = inner(number)
            while load_u32(at + NEXT) == 0:
                at = at + SLOT
            link(slot, load_u32(at + NEXT), load_u32(at + DEPTH))
            free_node(number)


@inline
def withdraw(number: u32, key: ptr, length: u32) -> None:
    """Take an element out of the tables, and the tables out that nothing needs any more."""
    data = key + DATA
    home = home_of(length)
    table = u32(0)
    depth = u32(0)
    above = u32(0)
    above_slot = storage()
    slot = storage()
    while depth != home:
        above = table
        above_slot = slot
        slot = slot_of(table, depth, data)
        table = load_u32(slot + NEXT)
        depth = load_u32(slot + DEPTH)
    place = place_of(table, depth, data, length)
    store_u32_relaxed(exact_at(table, place), 0)
    up = place >> 1
    heir = u32(0)
    while up != 0:
        heir = load_u32(exact_at(table, up))
        if heir != 0:
            break
        up = up >> 1
    inherited = u32(0)
    if heir != 0:
        inherited = load_u32(element(heir))
    cover(table, place, number, heir, inherited)
    if table != 0:
        at = inner(table) + NODE_PREFIXES
        store_u32(at, load_u32(at) - 1)
        if load_u32(at) + load_u32(inner(table) + NODE_CHILDREN) == 0:
            link(slot, u32(0), u32(0))
            free_node(table)
            add_children(above, u32(0xFFFF_FFFF))
            if above != 0:
                splice(above, above_slot)
        else:
            splice(table, slot)


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
    number = exactly(key, length)
    if number != 0:
        if flags == NOEXIST:
            result = i64(-EEXIST)
        else:
            copy(element(number) + DATA, key + DATA, DATA_SIZE)
            copy(element(number) + VALUE, value, VALUE_SIZE)
    elif flags == EXIST:
        result = i64(-ENOENT)
    else:
        number = unused()
        if number == 0:
            result = i64(-ENOSPC)
        else:
            begin()
            copy(element(number), key, KEY_SIZE)
            store_mask(element(number) + MASK, length)
            copy(element(number) + VALUE, value, VALUE_SIZE)
            insert(number, key, length)
            count_one()
            finish()
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
        withdraw(number, key, length)
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
