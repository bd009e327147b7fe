"""Where C would put the members of a struct, and what must be said so that it does.

BTF gives sizes and offsets, but no alignment and no attributes: ``packed`` is concluded from
members at offsets that their types forbid, padding is made of unnamed bitfields.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from beebox.btf.types import (
    Array,
    Btf,
    Enum,
    Float,
    Int,
    Member,
    Ptr,
    Struct,
)
from beebox.errors import BtfError

_MOST_NESTED: Final = 96
_LONGS: Final = ("long int", "long unsigned int", "long", "unsigned long")


class Layout:
    """Sizes and alignments of the types of one table, each computed once."""

    def __init__(self, btf: Btf) -> None:
        self._btf = btf
        self._known: dict[int, tuple[int, int]] = {}
        longs = (btf.type(i) for name in _LONGS for i in btf.named(name))
        self.pointer_size = next(
            (row.size for row in longs if isinstance(row, Int) and row.size in {4, 8}), 8
        )
        self._pads: tuple[tuple[str, int], ...] = (
            ("long", self.pointer_size * 8),
            ("int", 32),
            ("short", 16),
            ("char", 8),
        )

    def measure(self, type_id: int, depth: int = 0) -> tuple[int, int]:
        """``(size, alignment)`` in bytes; (0, 1) for what has neither, as functions."""
        known = self._known.get(type_id)
        if known is None:
            if depth > _MOST_NESTED:
                raise BtfError("types nest too deeply", type_id=type_id)
            known = self._known[type_id] = self._measure(type_id, depth)
        return known

    def _measure(self, type_id: int, depth: int) -> tuple[int, int]:
        inner, row = self._btf.resolve(type_id)
        if inner != type_id:
            return self.measure(inner, depth)
        match row:
            case Int() | Float() | Enum():
                return row.size, max(1, min(self.pointer_size, row.size))
            case Ptr():
                return self.pointer_size, self.pointer_size
            case Array():
                size, align = self.measure(row.type, depth + 1)
                return size * row.count, align
            case Struct():
                align = max((self.measure(m.type, depth + 1)[1] for m in row.members), default=1)
                return row.size, 1 if self._crooked(row, align, depth) else align
            case _:
                return 0, 1

    def _crooked(self, row: Struct, align: int, depth: int) -> bool:
        """Whether the size or a member's place contradicts the natural alignment."""
        return row.size % align != 0 or any(self._misplaced(m, depth) for m in row.members)

    def _misplaced(self, member: Member, depth: int) -> bool:
        """Whether only packing leads here: not to a multiple, or a bitfield across units."""
        size, align = self.measure(member.type, depth + 1)
        offset, bits = self.place(member)
        if bits:
            return bool(size) and offset % (8 * size) + bits > 8 * size
        return offset % (8 * align) != 0

    def packed(self, row: Struct) -> bool:
        """Whether C needs to be told that this struct is packed."""
        align = max((self.measure(member.type)[1] for member in row.members), default=1)
        return self._crooked(row, align, 0)

    def place(self, member: Member) -> tuple[int, int]:
        """``(bit offset, width of the bitfield)``; width 0 for other members.

        Old BTF keeps a bitfield's width and place in its integer type.
        """
        if member.bitfield_size:
            return member.bit_offset, member.bitfield_size
        _, row = self._btf.resolve(member.type)
        if isinstance(row, Int) and row.bits != 8 * row.size:
            return member.bit_offset + row.offset, row.bits
        return member.bit_offset, 0

    def padding(
        self, at: int, until: int, align: int, *, in_bitfield: bool, packed: bool
    ) -> Iterator[str]:
        """Unnamed bitfields (``long: 64``) that lead from bit ``at`` to bit ``until``.

        They are as wide as alignment allows. ``TYPE: 0`` moves to that type's next boundary,
        where the compiler would not go by itself, as nowhere in a packed struct.
        """
        if at >= until:
            return
        align = 1 if packed else align
        name, width = next(
            ((n, w) for n, w in self._pads if _round_up(at, w) <= until), self._pads[-1]
        )
        start = _round_up(at, width)
        if at < start <= until:
            unasked = start == until and _round_up(at, 8 * align) != start
            swallowed = start != until and (packed or until - start <= start - at)
            if in_bitfield or unasked or swallowed:
                yield f"{name}: {start - at if in_bitfield else 0}"
            at = start
        while until - at >= width:
            yield f"{name}: {width}"
            at += width
        if at < until:
            narrow = next(n for n, w in reversed(self._pads) if w >= until - at)
            yield f"{narrow}: {until - at}"


def _round_up(value: int, step: int) -> int:
    return (value + step - 1) // step * step
