"""The native interface of maps: which operations a type has, what they take, where they are.

A map's **handle** is the address of its :class:`Table`: the addresses of its operations for
programs. Programs that know their map call its operations by symbol; only inner maps, which are
known at run time alone, are called through their handle.
"""

from __future__ import annotations

from typing import Final

from beebox.maps.layout import (
    ArrayLayout,
    BloomLayout,
    HashLayout,
    Layout,
    LpmLayout,
    RingLayout,
    SlotLayout,
)

RUNTIME_CONSTANTS: Final = {  # offsets in the runtime block, which vm.memory owns
    "RT_CPU": 16,
    "RT_TAIL_CALLS": 56,
    "RT_REDIRECT_MAP": 128,
    "RT_REDIRECT_KEY": 136,
    "RT_REDIRECT_FLAGS": 144,
    "RT_REDIRECT_IFINDEX": 152,
}
RUNTIME_BYTES: Final = 192

TABLE: Final = (
    "lookup",
    "update",
    "delete",
    "lookup_percpu",
    "push",
    "pop",
    "peek",
    "redirect",
)
"""The operations of a handle's table, 8 bytes each in this order; 0 where the type has none."""

HELPERS: Final = {
    1: "lookup",
    2: "update",
    3: "delete",
    51: "redirect",
    87: "push",
    88: "pop",
    89: "peek",
    195: "lookup_percpu",
}
"""Helpers that are an operation of the map in R1: ``(rt, R2, R3, ...)``, by id.

``ptr lookup(rt, key)``, ``i64 update(rt, key, value, flags)``, ``i64 delete(rt, key)``,
``ptr lookup_percpu(rt, key, i64 cpu)``, ``i64 push(rt, value, flags)``, ``i64 pop(rt, value)``,
``i64 peek(rt, value)``, ``i64 redirect(rt, i64 key, i64 flags)``. Apart from these a prog array has
``ptr tail_call(rt, i64 index)``: the code to go on with, or null.
"""

TAIL_CALL: Final = 12

_KEYED: Final = ("lookup", "update", "delete")
_WHOLE: Final = ("lookup_unmarked", "update_all", "hold", "release")


def exports(where: Layout) -> tuple[str, ...]:
    """The operations of a map with this layout, those for user space included."""
    match where:
        case HashLayout():
            return (*_KEYED, "lookup_percpu", "redirect", *_WHOLE, "take")
        case ArrayLayout():
            return (*_KEYED, "lookup_percpu", *_WHOLE)
        case LpmLayout():
            return (*_KEYED, *_WHOLE)
        case SlotLayout():
            return ("lookup", "redirect", "tail_call", "assign")
        case RingLayout():
            return ("push", "pop", "peek", "hold", "release")
        case BloomLayout():
            return ("push", "peek")
