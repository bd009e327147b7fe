"""Elements by number, from 1: which are in use. Under the map's lock.

Deleted ones are remembered on a stack beside them, so that a reader still finds them whole.
"""

from __future__ import annotations

from typing import Final

from beebox.compiler.dialect import (
    constant,
    inline,
    load_u32,
    ptr,
    storage,
    store_u32,
    u32,
    u64,
)

HIGH_WATER: Final = constant("HIGH_WATER")
FREE_COUNT: Final = constant("FREE_COUNT")
FREE_STACK: Final = constant("FREE_STACK")
COUNT: Final = constant("COUNT")
ELEMENTS: Final = constant("ELEMENTS")
STRIDE: Final = constant("STRIDE")
MAX_ENTRIES: Final = constant("MAX_ENTRIES")


@inline
def element(number: u32) -> ptr:
    """The element's first byte."""
    return storage() + (ELEMENTS + (u64(number) - 1) * STRIDE)


@inline
def unused() -> u32:
    """Take the number of an unused element, 0 when there is none."""
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
def give_back(number: u32) -> None:
    """Let the element be used again."""
    free = load_u32(storage() + FREE_COUNT)
    store_u32(storage() + (FREE_STACK + u64(free) * 4), number)
    store_u32(storage() + FREE_COUNT, free + 1)


@inline
def count_one() -> None:
    """One element more is in the map."""
    store_u32(storage() + COUNT, load_u32(storage() + COUNT) + 1)


@inline
def count_one_less() -> None:
    """One element less is in the map."""
    store_u32(storage() + COUNT, load_u32(storage() + COUNT) - 1)
