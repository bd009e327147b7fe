"""Where source variables live, read from DWARF 5 as LLVM emits it for BPF.

Names help people read reports and prove nothing, so nothing here is an error: whatever is malformed
or unknown gives no names. Work is bounded by the file's size and :data:`MAX_RANGES`.

Two surprises. Every code section starts at address 0, so an address means something only together
with the relocation that gives its section. And LLVM counts frame offsets from the low end of the
frame instead of from R10: the frame's size, which DWARF does not have, is taken from the code.
Source: DWARF 5, sections 2.5, 7.5 and 7.7.3; registers 0-10 are R0-R10, their 32-bit halves too.
"""

from __future__ import annotations

import struct
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import IntEnum
from typing import Final

from beebox.errors import BeeboxError
from beebox.isa.instruction import Alu, Atomic, Instruction, Load, Reg, Store
from beebox.obj.dwarf_forms import Attribute, Cursor, Die, Tag, Unit, read_unit
from beebox.obj.elf import Elf, Relocation, RelocationType
from beebox.obj.model import VarRange
from beebox.obj.relocations import Function
from beebox.obj.typeinfo import patched
from beebox.tables.limits import MAX_STACK_BYTES
from beebox.tables.opcodes import AluOp

MAX_RANGES: Final = 100_000
MAX_NAME_BYTES: Final = 256
MAX_UNITS: Final = 64


class _Op(IntEnum):
    """``DW_OP_*``: the operations of a place that we can show."""

    CONSTU = 0x10
    AND = 0x1A
    REG0 = 0x50
    BREG0 = 0x70
    FBREG = 0x91
    STACK_VALUE = 0x9F
    CONVERT = 0xA8


class _ListEntry(IntEnum):
    """``DW_LLE_*``."""

    END = 0
    BASE_ADDRESSX = 1
    STARTX_ENDX = 2
    STARTX_LENGTH = 3
    OFFSET_PAIR = 4


@dataclass(frozen=True, slots=True)
class _Address:
    section: int
    offset: int

    def plus(self, distance: int) -> _Address:
        return _Address(self.section, self.offset + distance)


@dataclass(frozen=True, slots=True)
class _Range:
    start: _Address
    end: int
    expression: bytes


@dataclass(frozen=True, slots=True)
class _Scope:
    """A subprogram or block: the range of those variables that have one place all along."""

    start: _Address | None
    end: int


def read_variables(
    elf: Elf,
    functions: Sequence[Function],
    insns_of: Callable[[Function], Sequence[Instruction]],
) -> Variables:
    """Where the variables of each function are, read function by function."""
    return Variables(_Reader(elf, functions, insns_of))


class Variables:
    """Variables by function; none where there is no DWARF that we understand."""

    def __init__(self, reader: _Reader) -> None:
        self._reader: _Reader | None = reader
        self._is_read = False

    def of(self, function: Function) -> tuple[VarRange, ...]:
        """The variables of ``function`` in the order of their ranges."""
        if self._reader is None:
            return ()
        try:
            if not self._is_read:
                self._is_read = True
                self._reader.read()
            return self._reader.variables(function)
        except (BeeboxError, LookupError, ValueError, struct.error):
            self._reader = None
            return ()


@dataclass(frozen=True, slots=True)
class _Part:
    """The entries of one function in its unit, and what the unit counts from."""

    unit: _Bases
    dies: Sequence[Die]


@dataclass(frozen=True, slots=True)
class _Bases:
    """Where a unit's tables begin, and the address that ranges without one count from."""

    strings: int
    addresses: int
    lists: int
    by_offset: Mapping[int, Die]
    start: _Address | None = None


@dataclass
class _Reader:
    """``.debug_info``: its entries are read once, their variables function by function."""

    elf: Elf
    functions: Sequence[Function]
    insns_of: Callable[[Function], Sequence[Instruction]]
    _left: int = MAX_RANGES
    _parts: dict[tuple[int, int], list[_Part]] = field(default_factory=dict)
    """By section and start of a function."""
    _frames: dict[tuple[int, int], int] = field(default_factory=dict)

    def read(self) -> None:
        at = self.elf.find(".debug_info")
        if at is None or self.elf.byte_order != "little":
            return
        info = patched(self.elf, at, file="")
        abbreviations = self._section(".debug_abbrev")
        self._strings = self._section(".debug_str")
        self._string_offsets = self._section(".debug_str_offsets")
        self._lists = self._section(".debug_loclists")
        self._addresses, self._address_relocations = self._address_table()
        self._by_section: dict[int, list[Function]] = {}
        for function in self.functions:
            self._by_section.setdefault(function.section, []).append(function)
        offset = 0
        for _ in range(MAX_UNITS):
            if offset >= len(info):
                break
            unit = read_unit(info, offset, abbreviations)
            self._index(unit)
            offset = unit.end

    def variables(self, function: Function) -> tuple[VarRange, ...]:
        found: set[VarRange] = set()
        for part in self._parts.get((function.section, function.start), ()):
            self._part(part, function, found)
        return tuple(sorted(found, key=lambda row: (row.start, row.end, row.name, str(row))))

    def _section(self, name: str) -> bytes:
        at = self.elf.find(name)
        return patched(self.elf, at, file="") if at is not None else b""

    def _address_table(self) -> tuple[bytes, Mapping[int, Relocation]]:
        at = self.elf.find(".debug_addr")
        if at is None:
            return b"", {}
        rows = {row.offset: row for row in self.elf.relocations.get(at, ())}
        return self.elf.sections[at].contents, rows

    def _index(self, unit: Unit) -> None:
        """Which entries belong to which function: those below its own."""
        root = unit.dies[0]
        bases = _Bases(
            root.number(Attribute.STR_OFFSETS_BASE),
            root.number(Attribute.ADDR_BASE),
            root.number(Attribute.LOCLISTS_BASE),
            {die.offset: die for die in unit.dies},
        )
        low = root.get(Attribute.LOW_PC)
        if low and low.is_address_index:
            bases = replace(bases, start=self._address(bases, low.number))
        last = len(unit.dies)
        for at in range(last - 1, -1, -1):
            die = unit.dies[at]
            if die.tag != Tag.SUBPROGRAM:
                continue
            scope = self._scope(bases, die, _Scope(None, 0))
            function = self._owner(scope.start) if scope.start else None
            if function is not None:
                dies = unit.dies[at : self._end(unit, at, last)]
                place = (function.section, function.start)
                self._parts.setdefault(place, []).append(_Part(bases, dies))
            last = at

    @staticmethod
    def _end(unit: Unit, at: int, last: int) -> int:
        """Behind the entries below the one at ``at``, but not behind the next function's."""
        depth = unit.dies[at].depth
        for end in range(at + 1, last):
            if unit.dies[end].depth <= depth:
                return end
        return last

    def _owner(self, place: _Address) -> Function | None:
        functions = self._by_section.get(place.section, [])
        at = bisect_right(functions, place.offset, key=lambda row: row.start) - 1
        return functions[at] if at >= 0 else None

    def _part(self, part: _Part, function: Function, found: set[VarRange]) -> None:
        scopes: dict[int, _Scope] = {}
        for die in part.dies:
            outer = scopes.get(die.depth - 1, _Scope(None, 0))
            scope = outer
            if die.tag in {Tag.SUBPROGRAM, Tag.LEXICAL_BLOCK, Tag.INLINED_SUBROUTINE}:
                scope = self._scope(part.unit, die, outer)
            elif die.tag in {Tag.VARIABLE, Tag.FORMAL_PARAMETER}:
                name = self._name(part.unit, die)
                if name:
                    for place in self._places(part.unit, die, outer):
                        self._add(name, place, function, found)
            scopes[die.depth] = scope

    def _scope(self, bases: _Bases, die: Die, outer: _Scope) -> _Scope:
        low, high = die.get(Attribute.LOW_PC), die.get(Attribute.HIGH_PC)
        if low is None or high is None or not low.is_address_index:
            return outer
        start = self._address(bases, low.number)
        return _Scope(start, start.offset + high.number) if start else outer

    def _name(self, bases: _Bases, die: Die) -> str:
        """Inlined copies have their name in their abstract origin."""
        for _ in range(4):
            value = die.get(Attribute.NAME)
            if value is not None:
                return self._string(bases, value.number) if value.is_string_index else ""
            origin = die.get(Attribute.ABSTRACT_ORIGIN)
            if origin is None or origin.number not in bases.by_offset:
                return ""
            die = bases.by_offset[origin.number]
        return ""

    def _string(self, bases: _Bases, index: int) -> str:
        (at,) = struct.unpack_from("<I", self._string_offsets, bases.strings + 4 * index)
        end = self._strings.index(0, at, at + MAX_NAME_BYTES)
        return self._strings[at:end].decode()

    def _address(self, bases: _Bases, index: int) -> _Address | None:
        at = bases.addresses + 8 * index
        (there,) = struct.unpack_from("<Q", self._addresses, at)
        row = self._address_relocations.get(at)
        if row is None or row.type != RelocationType.ABS64:
            return None
        symbol = self.elf.symbols[row.symbol]
        return _Address(symbol.section, symbol.value + there)

    def _places(self, bases: _Bases, die: Die, scope: _Scope) -> list[_Range]:
        value = die.get(Attribute.LOCATION)
        if value is None:
            return []
        if value.is_expression:
            return [_Range(scope.start, scope.end, value.block)] if scope.start else []
        at = value.number
        if value.is_list_index:
            at = bases.lists + 4 * value.number
            at = bases.lists + struct.unpack_from("<I", self._lists, at)[0]
        return self._list(bases, Cursor(self._lists, at))

    def _list(self, bases: _Bases, cursor: Cursor) -> list[_Range]:
        found: list[_Range] = []
        base = bases.start
        while (kind := cursor.byte()) != _ListEntry.END:
            self._left -= 1
            if self._left < 0:
                raise ValueError
            first = cursor.uleb()
            if kind == _ListEntry.BASE_ADDRESSX:
                base = self._address(bases, first)
                continue
            second = cursor.uleb()
            expression = cursor.take(cursor.uleb())
            if kind == _ListEntry.STARTX_LENGTH:
                start = self._address(bases, first)
                end = start.offset + second if start else 0
            elif kind == _ListEntry.OFFSET_PAIR:
                start = base.plus(first) if base else None
                end = base.offset + second if base else 0
            elif kind == _ListEntry.STARTX_ENDX:
                start, last = self._address(bases, first), self._address(bases, second)
                end = last.offset if last else 0
            else:
                raise ValueError
            if start is not None:
                found.append(_Range(start, end, expression))
        return found

    def _add(self, name: str, place: _Range, function: Function, found: set[VarRange]) -> None:
        if place.start.section != function.section or place.start.offset < function.start:
            return
        start = (place.start.offset - function.start) // 8
        end = (min(place.end, function.end) - function.start) // 8
        if start >= end:
            return
        reg, frame_offset = _place_of(place.expression)
        if reg is not None:
            found.add(VarRange(start, end, name, reg=reg))
        elif frame_offset is not None:
            offset = frame_offset - self._frame_bytes(function)
            if -MAX_STACK_BYTES <= offset < 0:
                found.add(VarRange(start, end, name, stack_offset=offset))

    def _frame_bytes(self, function: Function) -> int:
        place = (function.section, function.start)
        if place not in self._frames:
            self._frames[place] = _frame_size(self.insns_of(function))
        return self._frames[place]


def _place_of(expression: bytes) -> tuple[int | None, int | None]:
    """The register that holds a value, or its frame offset; (None, None) for anything else."""
    cursor = Cursor(expression, 0)
    op = cursor.byte()
    if _Op.REG0 <= op <= _Op.REG0 + Reg.R10 and cursor.done():
        return op - _Op.REG0, None
    if op == _Op.FBREG:
        offset = cursor.sleb()
        return None, offset if cursor.done() else None
    if not _Op.BREG0 <= op <= _Op.BREG0 + Reg.R10:
        return None, None
    reg, offset = op - _Op.BREG0, cursor.sleb()
    if cursor.done():
        return None, offset if reg == Reg.R10 else None
    if offset or reg == Reg.R10:
        return None, None
    while not cursor.done() and (op := cursor.byte()) != _Op.STACK_VALUE:
        if op in {_Op.CONVERT, _Op.CONSTU}:
            cursor.uleb()
        elif op != _Op.AND:
            return None, None
    return (reg if op == _Op.STACK_VALUE and cursor.done() else None), None


def _frame_size(insns: Sequence[Instruction]) -> int:
    """Bytes of stack that the code touches, in whole slots of 8 as LLVM lays them out."""
    lowest = 0
    copies: set[Reg] = set()
    for insn in insns:
        match insn:
            case Load(src=Reg.R10, offset=offset):
                lowest = min(lowest, offset)
            case Store(dst=Reg.R10, offset=offset) | Atomic(dst=Reg.R10, offset=offset):
                lowest = min(lowest, offset)
            case Alu(op=AluOp.MOV, dst=dst, src=Reg() as src) if src is Reg.R10:
                copies.add(dst)
            case Alu(op=AluOp.ADD, dst=dst, src=added) if dst in copies:
                lowest = lowest if isinstance(added, Reg) else min(lowest, added)
                copies.discard(dst)
            case _:
                pass
    return -lowest + lowest % 8
