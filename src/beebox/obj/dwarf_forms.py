"""The DIE tree of one DWARF 5 unit: abbreviations and attribute forms.

Raises :exc:`ValueError`, :exc:`LookupError` or ``struct.error`` on anything malformed or unknown;
``obj.dwarf`` turns those into "no names". Source: DWARF 5, sections 7.5.1 to 7.5.6.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

_UNIT: Final = struct.Struct("<IHBBI")
_COMPILE_UNIT: Final = 1


class Tag(IntEnum):
    """``DW_TAG_*`` that we read."""

    FORMAL_PARAMETER = 0x05
    LEXICAL_BLOCK = 0x0B
    INLINED_SUBROUTINE = 0x1D
    SUBPROGRAM = 0x2E
    VARIABLE = 0x34


class Attribute(IntEnum):
    """``DW_AT_*`` that we read."""

    LOCATION = 0x02
    NAME = 0x03
    LOW_PC = 0x11
    HIGH_PC = 0x12
    ABSTRACT_ORIGIN = 0x31
    STR_OFFSETS_BASE = 0x72
    ADDR_BASE = 0x73
    LOCLISTS_BASE = 0x8C


class Form(IntEnum):
    """``DW_FORM_*``."""

    ADDR = 0x01
    BLOCK2 = 0x03
    BLOCK4 = 0x04
    DATA2 = 0x05
    DATA4 = 0x06
    DATA8 = 0x07
    STRING = 0x08
    BLOCK = 0x09
    BLOCK1 = 0x0A
    DATA1 = 0x0B
    FLAG = 0x0C
    SDATA = 0x0D
    STRP = 0x0E
    UDATA = 0x0F
    REF_ADDR = 0x10
    REF1 = 0x11
    REF2 = 0x12
    REF4 = 0x13
    REF8 = 0x14
    REF_UDATA = 0x15
    SEC_OFFSET = 0x17
    EXPRLOC = 0x18
    FLAG_PRESENT = 0x19
    STRX = 0x1A
    ADDRX = 0x1B
    DATA16 = 0x1E
    LINE_STRP = 0x1F
    REF_SIG8 = 0x20
    IMPLICIT_CONST = 0x21
    LOCLISTX = 0x22
    RNGLISTX = 0x23
    STRX1 = 0x25
    STRX2 = 0x26
    STRX3 = 0x27
    STRX4 = 0x28
    ADDRX1 = 0x29
    ADDRX2 = 0x2A
    ADDRX3 = 0x2B
    ADDRX4 = 0x2C


_FIXED: Final[dict[int, int]] = {
    Form.ADDR: 8,
    Form.DATA1: 1,
    Form.DATA2: 2,
    Form.DATA4: 4,
    Form.DATA8: 8,
    Form.DATA16: 16,
    Form.FLAG: 1,
    Form.STRP: 4,
    Form.LINE_STRP: 4,
    Form.SEC_OFFSET: 4,
    Form.REF_ADDR: 4,
    Form.REF1: 1,
    Form.REF2: 2,
    Form.REF4: 4,
    Form.REF8: 8,
    Form.REF_SIG8: 8,
    Form.STRX1: 1,
    Form.STRX2: 2,
    Form.STRX3: 3,
    Form.STRX4: 4,
    Form.ADDRX1: 1,
    Form.ADDRX2: 2,
    Form.ADDRX3: 3,
    Form.ADDRX4: 4,
}
_ULEB: Final = {
    Form.UDATA,
    Form.REF_UDATA,
    Form.STRX,
    Form.ADDRX,
    Form.LOCLISTX,
    Form.RNGLISTX,
}
_BLOCK_LENGTH: Final[dict[int, int]] = {Form.BLOCK1: 1, Form.BLOCK2: 2, Form.BLOCK4: 4}
_UNIT_REFERENCES: Final = {Form.REF1, Form.REF2, Form.REF4, Form.REF8, Form.REF_UDATA}


class Cursor:
    """A place in bytes that moves as it reads; :exc:`IndexError` past the end."""

    def __init__(self, data: bytes, at: int) -> None:
        self.data = data
        self.at = at

    def done(self) -> bool:
        """Whether everything was read."""
        return self.at >= len(self.data)

    def byte(self) -> int:
        """One byte."""
        value = self.data[self.at]
        self.at += 1
        return value

    def take(self, size: int) -> bytes:
        """``size`` bytes."""
        if self.at + size > len(self.data):
            raise IndexError
        self.at += size
        return self.data[self.at - size : self.at]

    def number(self, size: int) -> int:
        """An unsigned number of ``size`` bytes."""
        return int.from_bytes(self.take(size), "little")

    def uleb(self) -> int:
        """An unsigned LEB128 number, of 10 bytes at most."""
        return self._leb()[0]

    def sleb(self) -> int:
        """A signed LEB128 number, of 10 bytes at most."""
        value, bits = self._leb()
        return value - (1 << bits) if value >> (bits - 1) else value

    def _leb(self) -> tuple[int, int]:
        value = 0
        for shift in range(0, 70, 7):
            byte = self.byte()
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value, shift + 7
        raise ValueError


@dataclass(frozen=True, slots=True)
class Value:
    """An attribute's value: a number, or a block's bytes; ``form`` says what the number means."""

    form: int
    number: int = 0
    block: bytes = b""

    @property
    def is_expression(self) -> bool:
        """Whether ``block`` is a location expression."""
        return self.form == Form.EXPRLOC

    @property
    def is_list_index(self) -> bool:
        """Whether ``number`` indexes the unit's location lists."""
        return self.form == Form.LOCLISTX

    @property
    def is_string_index(self) -> bool:
        """Whether ``number`` indexes the unit's string offsets."""
        return self.form in {Form.STRX, Form.STRX1, Form.STRX2, Form.STRX3, Form.STRX4}

    @property
    def is_address_index(self) -> bool:
        """Whether ``number`` indexes the unit's addresses."""
        return self.form in {Form.ADDRX, Form.ADDRX1, Form.ADDRX2, Form.ADDRX3, Form.ADDRX4}


@dataclass(frozen=True, slots=True)
class Die:
    """One debugging information entry, at ``offset`` of ``.debug_info``; the root has depth 0."""

    offset: int
    depth: int
    tag: int
    attributes: dict[int, Value]

    def get(self, attribute: Attribute) -> Value | None:
        """The attribute's value, if it is there."""
        return self.attributes.get(attribute)

    def number(self, attribute: Attribute) -> int:
        """The attribute's number; 0 if it is missing."""
        value = self.get(attribute)
        return value.number if value else 0


@dataclass(frozen=True, slots=True)
class Unit:
    """The entries of one unit in file order, and where the next unit begins."""

    dies: tuple[Die, ...]
    end: int


@dataclass(frozen=True, slots=True)
class _Abbreviation:
    tag: int
    has_children: bool
    attributes: tuple[tuple[int, int, int], ...]  # attribute, form, implicit constant


def read_unit(info: bytes, at: int, abbreviations: bytes) -> Unit:
    """The unit at ``at`` of ``.debug_info``, whose relocations are applied already."""
    length, version, kind, address_size, abbreviations_at = _UNIT.unpack_from(info, at)
    end = at + 4 + length
    if version != 5 or kind != _COMPILE_UNIT or address_size != 8 or not at < end <= len(info):
        raise ValueError
    table = _abbreviations(abbreviations, abbreviations_at)
    cursor = Cursor(info[:end], at + _UNIT.size)
    dies: list[Die] = []
    depth = 0
    while cursor.at < end:
        offset = cursor.at
        code = cursor.uleb()
        if code == 0:
            depth -= 1
            if depth <= 0:
                break
            continue
        row = table[code]
        attributes = {
            attribute: _value(cursor, form, constant, at)
            for attribute, form, constant in row.attributes
        }
        dies.append(Die(offset, depth, row.tag, attributes))
        depth += row.has_children
        if depth == 0:
            break
    return Unit(tuple(dies), end)


def _abbreviations(data: bytes, at: int) -> dict[int, _Abbreviation]:
    cursor = Cursor(data, at)
    found: dict[int, _Abbreviation] = {}
    while code := cursor.uleb():
        tag, has_children = cursor.uleb(), cursor.byte() != 0
        attributes: list[tuple[int, int, int]] = []
        while True:
            attribute, form = cursor.uleb(), cursor.uleb()
            constant = cursor.sleb() if form == Form.IMPLICIT_CONST else 0
            if not attribute and not form:
                break
            attributes.append((attribute, form, constant))
        found[code] = _Abbreviation(tag, has_children, tuple(attributes))
    return found


def _value(cursor: Cursor, form: int, constant: int, unit: int) -> Value:
    if form in _FIXED:
        number = cursor.number(_FIXED[form])
    elif form in _ULEB:
        number = cursor.uleb()
    elif form == Form.SDATA:
        number = cursor.sleb()
    elif form == Form.FLAG_PRESENT:
        number = 1
    elif form == Form.IMPLICIT_CONST:
        number = constant
    elif form in _BLOCK_LENGTH:
        return Value(form, block=cursor.take(cursor.number(_BLOCK_LENGTH[form])))
    elif form in {Form.BLOCK, Form.EXPRLOC}:
        return Value(form, block=cursor.take(cursor.uleb()))
    elif form == Form.STRING:
        end = cursor.data.index(0, cursor.at)
        return Value(form, block=cursor.take(end + 1 - cursor.at)[:-1])
    else:
        raise ValueError
    return Value(form, number + unit if form in _UNIT_REFERENCES else number)
