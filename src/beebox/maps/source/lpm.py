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
NODES_FREE: Final = constant("NODES_FREE")  # a table to use again; its PREFIXES has the next
ROOT: Final = constant("ROOT")  # slots of the first table
ROOT_EXACT: Final = constant("ROOT_EXACT")
NODES: Final = constant("NODES")  # slots of the other tables
META: Final = constant("META")  # what only writers need of the other tables
META_STRIDE: Final = constant("META_STRIDE")
PREFIXES: Final = constant("PREFIXES")  # in there, behind exact: how many end in the table
FOLLOWING: Final = constant("FOLLOWING")  # how many slots have something behind them
PATH: Final = constant("PATH")  # an address that leads to the table
DEPTH_BITS: Final = constant("DEPTH_BITS")
MASKS: Final = constant("MASKS")  # one for each length that was ever inserted
VALUE: Final = constant("VALUE")
VALUE_SIZE: Final = constant("VALUE_SIZE")
USER_VALUE_SIZE: Final = constant("USER_VALUE_SIZE")
KEY_SIZE: Final = constant("KEY_SIZE")

DATA: Final = 4  # in a key and an element, behind the length
MAX_LENGTH: Final = DATA_SIZE * 8
SLOT: Final = 8  # bytes: the number of the best prefix, a link to what follows
LINK: Final = 4
SLOTS: Final = 16 * SLOT  # of a table

EXIST: Final = 2
NOEXIST: Final = 1
ENOENT: Final = 2
EEXIST: Final = 17
EINVAL: Final = 22
ENOSPC: Final = 28


# ---- tables and links: 0, a leaf's element number << 1 | 1, or a table's number and depth


@inline
def slots_of(number: u32) -> ptr:
    """A table's slots; 0 is the first table."""
    if number == 0:
        return storage() + ROOT
    return storage() + (NODES + (u64(number) - 1) * SLOTS)


@inline
def meta(number: u32) -> ptr:
    """What writers need of a table that is not the first one."""
    return storage() + (META + (u64(number) - 1) * META_STRIDE)


@inline
def is_leaf(link: u32) -> bool:
    """Whether a link leads to the one prefix behind it."""
    return link & 1 != 0


@inline
def table_link(number: u32, depth: u32) -> u32:
    """The link to a table."""
    return number << (DEPTH_BITS + 1) | depth >> 1


@inline
def number_in(link: u32) -> u32:
    """The number of the table that a link leads to."""
    return link >> (DEPTH_BITS + 1)


@inline
def depth_in(link: u32) -> u32:
    """The depth of the table that a link leads to, a multiple of 4."""
    return (link << 1) & ((2 << (DEPTH_BITS + 1)) - 4)


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
        return storage() + (ROOT_EXACT + u64(position) * 4)
    return meta(number) + u64(position) * 4


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
def mask_of(length: u32) -> ptr:
    """An address whose first ``length`` bits are set."""
    return storage() + (MASKS + u64(length) * DATA_SIZE)


@inline
def matches(number: u32, data: ptr, length: u32) -> bool:
    """Whether an element's prefix covers an address and has ``length`` bits at most."""
    found = element(number)
    if load_u32(found) > length:
        return False
    return not differs(data, found + DATA, mask_of(load_u32(found)))


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
def slot_of(number: u32, depth: u32, data: ptr) -> ptr:
    """An address's slot in a table."""
    return slots_of(number) + u64(index_in(number, depth, data)) * SLOT


@inline
def new_node(data: ptr) -> u32:
    """An empty table on the way of an address."""
    number = load_u32(storage() + NODES_FREE)
    if number != 0:
        store_u32(storage() + NODES_FREE, load_u32(meta(number) + PREFIXES))
        zero(meta(number), PATH)
    else:
        number = load_u32(storage() + NODES_USED) + 1
        store_u32(storage() + NODES_USED, number)
    copy(meta(number) + PATH, data, DATA_SIZE)
    return number


@inline
def free_node(number: u32) -> None:
    """Let a table be used again."""
    zero(slots_of(number), SLOTS)
    store_u32(meta(number) + PREFIXES, load_u32(storage() + NODES_FREE))
    store_u32(storage() + NODES_FREE, number)


@inline
def count_in(number: u32, field: u64, change: u32) -> None:
    """Count what a table has; modulo 2**32, so that all ones take one away."""
    if number != 0:
        at = meta(number) + field
        store_u32(at, load_u32(at) + change)


@inline
def follow(number: u32, depth: u32, data: ptr, link: u32) -> None:
    """Make something follow an address's slot, where nothing did."""
    store_u32_relaxed(slot_of(number, depth, data) + LINK, link)
    count_in(number, FOLLOWING, u32(1))


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
        slot = slots_of(table) + u64(index) * SLOT
        best = load_u32(slot)
        replaced = best == old
        if old == 0:
            if best != 0:
                replaced = load_u32(element(best)) <= length
        if replaced:
            store_u32_relaxed(slot, new)
        index += 1


@inline
def end_in(table: u32, depth: u32, number: u32) -> None:
    """Make an element's prefix end in a table, its home."""
    length = load_u32(element(number))
    place = place_of(table, depth, element(number) + DATA, length)
    store_u32_relaxed(exact_at(table, place), number)
    count_in(table, PREFIXES, u32(1))
    cover(table, place, u32(0), number, length)


@inline
def settle(table: u32, depth: u32, number: u32) -> None:
    """Put an element into a table where nothing is in its way: as a leaf unless it ends there."""
    if home_of(load_u32(element(number))) == depth:
        end_in(table, depth, number)
    else:
        follow(table, depth, element(number) + DATA, number << 1 | 1)


@inline
def insert(number: u32) -> None:
    """Make a filled element part of the tables; the way is split where it leaves another's."""
    data = element(number) + DATA
    length = load_u32(element(number))
    home = home_of(length)
    table = u32(0)
    depth = u32(0)
    while depth != home:
        slot = slot_of(table, depth, data)
        link = load_u32(slot + LINK)
        if link == 0:
            break
        split = home
        if is_leaf(link):
            other = element(link >> 1)
            most = load_u32(other)
            path = other + DATA
            if home_of(most) < split:
                split = home_of(most)
        else:
            most = depth_in(link)
            path = meta(number_in(link)) + PATH
            if most < split:
                split = most
        shared = common_bits(data, path, length) & 0xFFFF_FFFC
        if shared < split:
            split = shared
        if not is_leaf(link):
            if split == most:
                table = number_in(link)
                depth = split
                continue
        made = new_node(data)
        if is_leaf(link):
            settle(made, split, link >> 1)
        else:
            follow(made, split, path, link)
        store_u32_relaxed(slot + LINK, table_link(made, split))
        table = made
        depth = split
    settle(table, depth, number)


@inline
def exactly(key: ptr, length: u32) -> u32:
    """The element of this very prefix; 0: none."""
    data = key + DATA
    home = home_of(length)
    number = u32(0)
    depth = u32(0)
    while depth < home:
        link = load_u32(slot_of(number, depth, data) + LINK)
        if link == 0:
            return link
        if is_leaf(link):
            if load_u32(element(link >> 1)) == length:
                if matches(link >> 1, data, length):
                    return link >> 1
            return u32(0)
        number = number_in(link)
        depth = depth_in(link)
    if depth != home:
        return u32(0)
    if number != 0:
        if common_bits(data, meta(number) + PATH, home) != home:
            return u32(0)
    return load_u32(exact_at(number, place_of(number, depth, data, length)))


@inline
def only_one(number: u32) -> u32:
    """The link to the one thing that a table has."""
    at = u64(0)
    if load_u32(meta(number) + PREFIXES) == 0:
        while load_u32(slots_of(number) + (at + LINK)) == 0:
            at += SLOT
        return load_u32(slots_of(number) + (at + LINK))
    while load_u32(meta(number) + at) == 0:
        at += 4
    return load_u32(meta(number) + at) << 1 | 1


@inline
def withdraw(number: u32) -> None:
    """Take an element out of the tables, and its table out where that has one thing left."""
    data = element(number) + DATA
    length = load_u32(element(number))
    home = home_of(length)
    table = u32(0)
    depth = u32(0)
    to_table = storage()  # the slot that leads to the table
    slot = storage()
    found = False
    while depth != home:
        slot = slot_of(table, depth, data)
        link = load_u32(slot + LINK)
        if is_leaf(link):
            found = True
            break
        to_table = slot
        table = number_in(link)
        depth = depth_in(link)
    if found:
        store_u32_relaxed(slot + LINK, 0)
        count_in(table, FOLLOWING, u32(0xFFFF_FFFF))
    else:
        place = place_of(table, depth, data, length)
        store_u32_relaxed(exact_at(table, place), 0)
        count_in(table, PREFIXES, u32(0xFFFF_FFFF))
        heir = u32(0)
        place = place >> 1
        while place != 0:
            heir = load_u32(exact_at(table, place))
            if heir != 0:
                break
            place = place >> 1
        cover(table, place_of(table, depth, data, length), number, heir, length)
    if table != 0:
        left = load_u32(meta(table) + PREFIXES) + load_u32(meta(table) + FOLLOWING)
        if left == 1:
            store_u32_relaxed(to_table + LINK, only_one(table))
            free_node(table)


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
            store_mask(mask_of(length), length)
            copy(element(number) + VALUE, value, VALUE_SIZE)
            insert(number)
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
