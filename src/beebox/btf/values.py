"""Python values of BTF types, little-endian: map keys and values, globals, events.

==================  =====================================================
BTF                 Python
==================  =====================================================
INT                 ``int`` by its signedness; ``bool`` for booleans
FLOAT               ``float`` (4 or 8 bytes)
ENUM, ENUM64        the enumerator's name; ``int`` where none fits
PTR                 ``int``
ARRAY of char       ``str`` up to the NULs; ``bytes`` where it is not text
ARRAY               ``list``
STRUCT, UNION       ``dict`` by member; an anonymous member's own members
                    stand among their parent's
==================  =====================================================

Encoding takes the same and, for convenience, ``bytes`` of the exact size for any type. Both raise
:exc:`BtfError`, and both bound their work: at most :data:`MAX_VALUES` values, :data:`MAX_DEPTH`
levels.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeAlias

from beebox.btf.types import (
    Array,
    Btf,
    Enum,
    Float,
    Int,
    Member,
    Ptr,
    Struct,
    Var,
)
from beebox.errors import BtfError

Value: TypeAlias = int | float | bool | str | bytes | list[Any] | dict[str, Any]

MAX_VALUES: Final = 1 << 20
MAX_DEPTH: Final = 32
_FLOATS: Final = {4: "<f", 8: "<d"}


def decode(btf: Btf, type_id: int, data: bytes) -> Value:
    """The value that ``data`` holds, read as ``type_id``; the sizes must agree."""
    size = btf.size_of(type_id)
    if len(data) != size:
        raise BtfError(f"{len(data)} bytes for a value of {size}", type_id=type_id)
    return _Decoder(btf).value(type_id, data, 0)


def encode(btf: Btf, type_id: int, value: object) -> bytes:
    """The bytes of ``value`` as ``type_id``; members and elements left out are zero."""
    size = btf.size_of(type_id)
    if size > MAX_VALUES * 8:
        raise BtfError(f"a value of {size} bytes is too large to encode", type_id=type_id)
    out = bytearray(size)
    _encode_into(btf, type_id, value, memoryview(out), 0)
    return bytes(out)


class _Decoder:
    """One decode: counts values, because overlapping members can repeat without end."""

    def __init__(self, btf: Btf) -> None:
        self._btf = btf
        self._left = MAX_VALUES

    def value(self, type_id: int, data: bytes, depth: int) -> Value:
        self._left -= 1
        if depth > MAX_DEPTH or self._left < 0:
            raise BtfError("the value nests too deeply or is too large", type_id=type_id)
        target, row = self._btf.resolve(type_id)
        match row:
            case Int():
                raw = int.from_bytes(data, "little") >> row.offset
                return _number(row, raw, row.bits)
            case Float() if row.size in _FLOATS:
                return float(struct.unpack(_FLOATS[row.size], data)[0])
            case Ptr():
                return int.from_bytes(data, "little")
            case Enum():
                return _enumerator(row, int.from_bytes(data, "little", signed=row.signed))
            case Array():
                return self._array(row, data, depth)
            case Struct():
                return self._struct(row, data, depth, target)
            case Var():
                return self.value(row.type, data, depth + 1)
            case _:
                raise BtfError("a type without values", type_id=target)

    def _array(self, row: Array, data: bytes, depth: int) -> Value:
        if _is_char(self._btf, row.type):
            return _text(data)
        size = self._btf.size_of(row.type)
        if row.count > self._left:
            raise BtfError("the value is too large", type_id=row.type)
        return [
            self.value(row.type, data[index * size : (index + 1) * size], depth + 1)
            for index in range(row.count)
        ]

    def _struct(self, row: Struct, data: bytes, depth: int, type_id: int) -> dict[str, Any]:
        out: dict[str, Any] = {}
        for member in row.members:
            if member.bitfield_size:
                value = self._bitfield(member, data)
            else:
                start, size = member.bit_offset // 8, self._btf.size_of(member.type)
                if member.bit_offset % 8 or start + size > len(data):
                    raise BtfError(f"member {member.name!r} lies outside", type_id=type_id)
                value = self.value(member.type, data[start : start + size], depth + 1)
            if not member.name and isinstance(value, dict):
                out |= value
            elif member.name:
                out[member.name] = value
        return out

    def _bitfield(self, member: Member, data: bytes) -> Value:
        _, row = self._btf.resolve(member.type)
        raw = int.from_bytes(data, "little") >> member.bit_offset
        raw &= (1 << member.bitfield_size) - 1
        if isinstance(row, Enum):
            return _enumerator(row, _signed(raw, member.bitfield_size) if row.signed else raw)
        if not isinstance(row, Int):
            raise BtfError(f"bitfield {member.name!r} is no integer", type_id=member.type)
        return _number(row, raw, member.bitfield_size)


def _signed(raw: int, bits: int) -> int:
    raw &= (1 << bits) - 1
    return raw - (1 << bits) if bits and raw >> (bits - 1) else raw


def _number(row: Int, raw: int, bits: int) -> int | bool:
    raw &= (1 << bits) - 1
    if row.boolean and raw <= 1:
        return bool(raw)
    return _signed(raw, bits) if row.signed else raw


def _enumerator(row: Enum, number: int) -> str | int:
    return next((name for name, value in row.values if value == number), number)


def _is_char(btf: Btf, type_id: int) -> bool:
    _, row = btf.resolve(type_id)
    return isinstance(row, Int) and row.size == 1 and (row.char or row.name == "char")


def _text(data: bytes) -> str | bytes:
    """Text when the bytes are UTF-8 followed by nothing but NULs, else the bytes."""
    text = data.rstrip(b"\0")
    if b"\0" in text:
        return data
    try:
        return text.decode()
    except UnicodeDecodeError:
        return data


def _encode_into(btf: Btf, type_id: int, value: object, out: memoryview, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise BtfError("the value nests too deeply", type_id=type_id)
    target, row = btf.resolve(type_id)
    if isinstance(value, bytes | bytearray | memoryview) and not isinstance(row, Array):
        out[:] = _exactly(bytes(value), len(out), target)
        return
    match row:
        case Int():
            number = _integer(value, target)
            _check_range(number, row.bits, signed=row.signed, type_id=target)
            number = (number & ((1 << row.bits) - 1)) << row.offset
            out[:] = number.to_bytes(len(out), "little")
        case Float() if row.size in _FLOATS:
            if not isinstance(value, int | float):
                raise _mismatch("a number", value, target)
            try:
                out[:] = struct.pack(_FLOATS[row.size], value)
            except (struct.error, OverflowError):
                raise BtfError(f"{value!r} does not fit", type_id=target) from None
        case Ptr():
            number = _integer(value, target)
            _check_range(number, 64, signed=False, type_id=target)
            out[:] = number.to_bytes(8, "little")
        case Enum():
            number = _enum_number(row, value, target)
            _check_range(number, 8 * len(out), signed=row.signed, type_id=target)
            out[:] = number.to_bytes(len(out), "little", signed=row.signed)
        case Array():
            _encode_array(btf, target, row, value, out, depth)
        case Struct():
            _encode_struct(btf, target, row, value, out, depth)
        case Var():
            _encode_into(btf, row.type, value, out, depth + 1)
        case _:
            raise BtfError("a type without values", type_id=target)


def _encode_array(
    btf: Btf, type_id: int, row: Array, value: object, out: memoryview, depth: int
) -> None:
    if isinstance(value, bytes | bytearray | memoryview):
        raw = bytes(value)
        if _is_char(btf, row.type) and len(raw) < len(out):
            raw = raw.ljust(len(out), b"\0")
        out[:] = _exactly(raw, len(out), type_id)
        return
    if isinstance(value, str):
        if not _is_char(btf, row.type):
            raise _mismatch("a sequence", value, type_id)
        raw = value.encode()
        if len(raw) > len(out):
            raise BtfError(f"{value!r} is longer than {len(out)} bytes", type_id=type_id)
        out[: len(raw)] = raw
        return
    if not isinstance(value, Sequence):
        raise _mismatch("a sequence", value, type_id)
    if len(value) > row.count:
        raise BtfError(f"{len(value)} elements for {row.count}", type_id=type_id)
    size = btf.size_of(row.type)
    for index, element in enumerate(value):
        _encode_into(btf, row.type, element, out[index * size : (index + 1) * size], depth + 1)


def _encode_struct(
    btf: Btf, type_id: int, row: Struct, value: object, out: memoryview, depth: int
) -> None:
    if not isinstance(value, Mapping):
        raise _mismatch("a mapping", value, type_id)
    places = dict(_places(btf, row, 0, depth))
    if row.union and len(value) > 1 and "" not in {member.name for member in row.members}:
        raise BtfError("a union takes one member", type_id=type_id)
    for name, member_value in value.items():
        if name not in places:
            raise BtfError(f"no member {name!r}", type_id=type_id)
        member, bit = places[name]
        if member.bitfield_size:
            _encode_bitfield(btf, member, bit, member_value, out)
            continue
        start, size = bit // 8, btf.size_of(member.type)
        if bit % 8 or start + size > len(out):
            raise BtfError(f"member {name!r} lies outside", type_id=type_id)
        _encode_into(btf, member.type, member_value, out[start : start + size], depth + 1)


def _places(btf: Btf, row: Struct, base: int, depth: int) -> list[tuple[str, tuple[Member, int]]]:
    """Every named member with its bit offset, those of anonymous members included."""
    if depth > MAX_DEPTH:
        raise BtfError("anonymous members nest too deeply")
    found: list[tuple[str, tuple[Member, int]]] = []
    for member in row.members:
        at = base + member.bit_offset
        _, inner = btf.resolve(member.type)
        if member.name:
            found.append((member.name, (member, at)))
        elif isinstance(inner, Struct):
            found += _places(btf, inner, at, depth + 1)
        if len(found) > MAX_VALUES:
            raise BtfError("too many members")
    return found


def _encode_bitfield(btf: Btf, member: Member, bit: int, value: object, out: memoryview) -> None:
    _, row = btf.resolve(member.type)
    if not isinstance(row, Int | Enum):
        raise BtfError(f"bitfield {member.name!r} is no integer", type_id=member.type)
    number = (
        _enum_number(row, value, member.type)
        if isinstance(row, Enum)
        else _integer(value, member.type)
    )
    _check_range(number, member.bitfield_size, signed=row.signed, type_id=member.type)
    if bit + member.bitfield_size > 8 * len(out):
        raise BtfError(f"bitfield {member.name!r} lies outside", type_id=member.type)
    mask = (1 << member.bitfield_size) - 1
    whole = int.from_bytes(out, "little") & ~(mask << bit) | (number & mask) << bit
    out[:] = whole.to_bytes(len(out), "little")


def _enum_number(row: Enum, value: object, type_id: int) -> int:
    if not isinstance(value, str):
        return _integer(value, type_id)
    for name, number in row.values:
        if name == value:
            return number
    raise BtfError(f"{row.name or 'the enum'} has no {value!r}", type_id=type_id)


def _integer(value: object, type_id: int) -> int:
    if not isinstance(value, int):
        raise _mismatch("an integer", value, type_id)
    return int(value)


def _check_range(number: int, bits: int, *, signed: bool, type_id: int) -> None:
    low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if signed and bits else (0, (1 << bits) - 1)
    if not low <= number <= high:
        raise BtfError(f"{number} is not in [{low}, {high}]", type_id=type_id)


def _exactly(raw: bytes, size: int, type_id: int) -> bytes:
    if len(raw) != size:
        raise BtfError(f"{len(raw)} bytes for a value of {size}", type_id=type_id)
    return raw


def _mismatch(wanted: str, value: object, type_id: int) -> BtfError:
    return BtfError(f"{wanted} expected, not {type(value).__name__}", type_id=type_id)
