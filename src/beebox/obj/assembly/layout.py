"""Where C puts the members of a struct: what assembly text need not say.

Text carries an offset, a size or ``@packed`` only where they differ from these rules, which reader
and writer share. Alignment is not in BTF: it follows from the members, and a struct with one of
them out of place counts as packed. Source: the System V ABI's rules as clang applies them to BPF.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from beebox.btf.types import Array, Enum, Float, Int, Member, Modifier, Ptr, Struct, Type, Typedef
from beebox.errors import BtfError

Row: TypeAlias = Callable[[int], Type | None]
"""A type by its id."""

MAX_NESTING: Final = 64
_MOST_ALIGNED_BYTES: Final = 16


def up(number: int, step: int) -> int:
    """``number`` rounded up to a multiple of ``step``."""
    return (number + step - 1) // step * step


class Measures:
    """Sizes and alignments of types, each struct's found once."""

    def __init__(self, row: Row) -> None:
        self._row = row
        self._aligns: dict[int, int] = {}

    def size(self, type_id: int) -> int:
        """Bytes of a value. Raises :exc:`BtfError` for a type without a size."""
        factor = 1
        for _ in range(MAX_NESTING):
            match self._row(type_id):
                case Int(size=size) | Float(size=size) | Struct(size=size) | Enum(size=size):
                    return factor * size
                case Ptr():
                    return factor * 8
                case Array(element, _, count):
                    factor *= count
                    type_id = element
                case Typedef(_, target) | Modifier(_, target):
                    type_id = target
                case _:
                    break
        raise BtfError("a type without a size", type_id=type_id)

    def align(self, type_id: int, depth: int = 0) -> int:
        """The alignment in bytes of a value; 1 of what has none."""
        for _ in range(MAX_NESTING):
            match self._row(type_id):
                case Int(size=size) | Float(size=size) | Enum(size=size):
                    return max(1, min(size, _MOST_ALIGNED_BYTES))
                case Ptr():
                    return 8
                case Array(element):
                    type_id = element
                case Typedef(_, target) | Modifier(_, target):
                    type_id = target
                case Struct() as struct if depth < MAX_NESTING:
                    if type_id not in self._aligns:
                        self._aligns[type_id] = self._struct_align(struct, depth + 1)
                    return self._aligns[type_id]
                case _:
                    break
        return 1

    def _struct_align(self, struct: Struct, depth: int) -> int:
        widest = 1
        for member in struct.members:
            align = self.align(member.type, depth)
            if not member.bitfield_size and member.bit_offset % (8 * align):
                return 1
            widest = max(widest, align)
        return widest if struct.size % widest == 0 else 1

    def are_sized(self, members: Sequence[Member]) -> bool:
        """Whether every member has a size, so that a layout exists."""
        try:
            for member in members:
                self.size(member.type)
        except BtfError:
            return False
        return True


@dataclass(slots=True)
class Layout:
    """One struct or union being laid out, member by member."""

    measures: Measures
    union: bool
    packed: bool
    bits: int = 0  # after the member that reaches farthest, or of a struct the last one
    align: int = 1

    def next(self, type_id: int, bitfield: int) -> int:
        """The bit at which a member of this type comes to lie."""
        if self.union:
            return 0
        align = 1 if self.packed else self.measures.align(type_id)
        if not bitfield:
            return up(self.bits, 8 * align)
        unit = 8 * self.measures.size(type_id)
        if not self.packed and self.bits % (8 * align) + bitfield > unit:
            return up(self.bits, 8 * align)
        return self.bits

    def place(self, member: Member) -> None:
        """Go on behind ``member``."""
        bits = member.bitfield_size or 8 * self.measures.size(member.type)
        end = member.bit_offset + bits
        self.bits = max(self.bits, end) if self.union else end
        if not self.packed:
            self.align = max(self.align, self.measures.align(member.type))

    @property
    def size(self) -> int:
        """The bytes of the whole so far."""
        return up(up(self.bits, 8) // 8, self.align)


def is_packed(measures: Measures, struct: Struct) -> bool:
    """Whether ``struct`` looks more natural with ``@packed`` than without."""
    return _surprises(measures, struct, packed=True) < _surprises(measures, struct, packed=False)


def _surprises(measures: Measures, struct: Struct, *, packed: bool) -> int:
    layout = Layout(measures, struct.union, packed)
    found = 0
    for member in struct.members:
        found += layout.next(member.type, member.bitfield_size) != member.bit_offset
        layout.place(member)
    return found + (layout.size != struct.size)
