"""Where C would put the members of a struct, and what must be said so that it does.

BTF gives sizes and offsets, but no alignment and no attributes: ``packed`` is concluded from
members at offsets that their types forbid, padding is made of unnamed bitfields.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from beebox.btf.types import (
    Array,
    Btf,
    Enum,
    Float,
    Int,
    Member,
    Modifier,
    Ptr,
    Struct,
    Type,
    Typedef,
)
from beebox.errors import BtfError

_MOST_NESTED: Final = 96
_LONGS: Final = ("long int", "long unsigned int", "long", "unsigned long")


class Rows(dict[int, Type | None]):
    """The types of a table by id, each asked for once: a look-up is the writers' commonest step."""

    def __init__(self, btf: Btf) -> None:
        super().__init__()
        self.btf = btf

    def __missing__(self, type_id: int) -> Type | None:
        row = self[type_id] = self.btf.type(type_id)
        return row


class Measure(NamedTuple):
    """Size and alignment in bytes; of an old bitfield's integer its place and width in bits."""

    size: int
    align: int
    bit_offset: int = 0
    bits: int = 0


class Layout:
    """Sizes and alignments of the types of one table, each computed once."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self._known: dict[int, Measure] = {}
        self._packed: set[int] = set()
        longs = (rows[i] for name in _LONGS for i in rows.btf.named(name))
        self.pointer_size = next(
            (row.size for row in longs if isinstance(row, Int) and row.size in {4, 8}), 8
        )
        self._pads: tuple[tuple[str, int], ...] = (
            ("long", self.pointer_size * 8),
            ("int", 32),
            ("short", 16),
            ("char", 8),
        )

    def measure(self, type_id: int, depth: int = 0) -> Measure:
        """The measure of a type; size 0 and alignment 1 for what has neither, as functions."""
        known = self._known.get(type_id)
        if known is None:
            if depth > _MOST_NESTED:
                raise BtfError("types nest too deeply", type_id=type_id)
            known = self._known[type_id] = self._measure(type_id, depth)
        return known

    def _measure(self, type_id: int, depth: int) -> Measure:
        row = self._rows[type_id]
        match row:
            case Typedef() | Modifier():
                return self.measure(row.type, depth + 1)
            case Int():
                align = max(1, min(self.pointer_size, row.size))
                if row.bits == 8 * row.size:
                    return Measure(row.size, align)
                return Measure(row.size, align, row.offset, row.bits)
            case Float() | Enum():
                return Measure(row.size, max(1, min(self.pointer_size, row.size)))
            case Ptr():
                return Measure(self.pointer_size, self.pointer_size)
            case Array():
                element = self.measure(row.type, depth + 1)
                return Measure(element.size * row.count, element.align)
            case Struct():
                align = max((self.measure(m.type, depth + 1).align for m in row.members), default=1)
                if row.size % align == 0 and not any(map(self._misplaced, row.members)):
                    return Measure(row.size, align)
                self._packed.add(type_id)
                return Measure(row.size, 1)
            case _:
                return Measure(0, 1)

    def _misplaced(self, member: Member) -> bool:
        """Whether only packing leads here: not to a multiple, or a bitfield across units."""
        size, align, _, _ = self.measure(member.type)
        offset, bits = self.place(member)
        if bits:
            return size > 0 and offset % (8 * size) + bits > 8 * size
        return offset % (8 * align) != 0

    def packed(self, type_id: int) -> bool:
        """Whether C needs to be told that this struct is packed."""
        self.measure(type_id)
        return type_id in self._packed

    def place(self, member: Member) -> tuple[int, int]:
        """``(bit offset, width of the bitfield)``; width 0 for other members.

        Old BTF keeps a bitfield's width and place in its integer type.
        """
        if member.bitfield_size:
            return member.bit_offset, member.bitfield_size
        _, _, bit_offset, bits = self.measure(member.type)
        return member.bit_offset + bit_offset, bits

    def natural(self, at: int, type_id: int, bits: int = 0, *, packed: bool) -> int:
        """Where C puts a member of this type, or a bitfield of ``bits`` bits, after bit ``at``."""
        size, align, _, _ = self.measure(type_id)
        if packed:
            return at if bits else _round_up(at, 8)
        if bits and size and at % (8 * size) + bits <= 8 * size:
            return at  # in the unit that was begun
        return _round_up(at, 8 * align)

    def padding(
        self, at: int, until: int, natural: int, *, in_bitfield: bool, packed: bool
    ) -> Iterator[str]:
        """Unnamed bitfields (``long: 64``) that lead from bit ``at`` to bit ``until``.

        They are as wide as alignment allows. ``TYPE: 0`` moves to that type's next boundary,
        where the compiler would go to ``natural`` by itself, or to none in a packed struct.
        """
        if at >= until:
            return
        name, width = next(
            ((n, w) for n, w in self._pads if _round_up(at, w) <= until), self._pads[-1]
        )
        start = _round_up(at, width)
        if at < start <= until:
            unasked = start == until and natural != start
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
