"""Changes of an LPM trie's tables (``maps.source.lpm``), under the lock."""

from __future__ import annotations

from typing import Final

from beebox.compiler.dialect import (
    constant,
    copy,
    inline,
    load_u32,
    ptr,
    storage,
    store_u32,
    store_u32_relaxed,
    u32,
    u64,
    zero,
)
from beebox.maps.source.lpm_tables import (
    DATA,
    LINK,
    SLOT,
    SLOTS,
    bits_of,
    depth_in,
    exact_at,
    home_of,
    index_in,
    is_leaf,
    matches,
    meta,
    number_in,
    place_of,
    slots_of,
    table_link,
)
from beebox.maps.source.prefixes import DATA_SIZE, common_bits
from beebox.maps.source.slab import element

NODES_USED: Final = constant("NODES_USED")  # the highest number of a table ever used
NODES_FREE: Final = constant("NODES_FREE")  # a table to use again; its PREFIXES has the next
PREFIXES: Final = constant("PREFIXES")  # in there, behind exact: how many end in the table
FOLLOWING: Final = constant("FOLLOWING")  # how many slots have something behind them
PATH: Final = constant("PATH")  # an address that leads to the table


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
