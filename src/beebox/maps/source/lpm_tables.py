"""The tables of an LPM trie (``maps.source.lpm``): where slots and prefixes are, what links say.

A link is 0, a leaf's element number << 1 | 1, or a table's number and depth.
"""

from __future__ import annotations

from typing import Final

from beebox.compiler.dialect import constant, inline, load_u32, ptr, storage, u32, u64
from beebox.maps.source.prefixes import DATA_SIZE, ROOT_BITS, differs, nibble, root_index
from beebox.maps.source.slab import element

ROOT: Final = constant("ROOT")  # slots of the first table
ROOT_EXACT: Final = constant("ROOT_EXACT")
NODES: Final = constant("NODES")  # slots of the other tables
META: Final = constant("META")  # what only writers need of the other tables
META_STRIDE: Final = constant("META_STRIDE")
DEPTH_BITS: Final = constant("DEPTH_BITS")
MASKS: Final = constant("MASKS")  # one for each length that was ever inserted
DATA: Final = 4  # in a key and an element, behind the length
SLOT: Final = 8  # bytes: the number of the best prefix, a link to what follows
LINK: Final = 4
SLOTS: Final = 16 * SLOT  # of a table


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
