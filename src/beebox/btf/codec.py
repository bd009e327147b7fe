"""The .BTF section: bytes to :class:`Btf` and back.

Total: any bytes give a :class:`Btf` whose references all name existing types, or
:exc:`BtfError`; time and memory are linear in the input. Cycles are legal here (a list node
points to itself): who walks the graph bounds the walk. Source: Documentation/bpf/btf.rst.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from enum import IntEnum
from typing import Final, assert_never

from beebox.btf.strings import Strings, StringTable
from beebox.btf.types import (
    Array,
    Btf,
    Datasec,
    DeclTag,
    Enum,
    Float,
    Func,
    FuncProto,
    Fwd,
    Int,
    Linkage,
    Member,
    Modifier,
    Param,
    Ptr,
    SectionVar,
    Struct,
    Type,
    Typedef,
    Var,
)
from beebox.errors import BtfError

MAGIC: Final = 0xEB9F
HEADER: Final = struct.Struct("<HBBIIIII")
"""magic, version, flags, hdr_len, type_off, type_len, str_off, str_len."""

MAX_BYTES: Final = 1 << 26
"""Above any kernel's own BTF (6 MB); the kernel itself refuses 16 MB of types."""


class Kind(IntEnum):
    """``BTF_KIND_*``."""

    INT = 1
    PTR = 2
    ARRAY = 3
    STRUCT = 4
    UNION = 5
    ENUM = 6
    FWD = 7
    TYPEDEF = 8
    VOLATILE = 9
    CONST = 10
    RESTRICT = 11
    FUNC = 12
    FUNC_PROTO = 13
    VAR = 14
    DATASEC = 15
    FLOAT = 16
    DECL_TAG = 17
    TYPE_TAG = 18
    ENUM64 = 19


_MODIFIERS: Final = {
    "volatile": Kind.VOLATILE,
    "const": Kind.CONST,
    "restrict": Kind.RESTRICT,
    "type_tag": Kind.TYPE_TAG,
}
_MODIFIER_NAMES: Final = {kind.value: name for name, kind in _MODIFIERS.items()}

_FLAGGED: Final = frozenset(
    {
        Kind.STRUCT,
        Kind.UNION,
        Kind.ENUM,
        Kind.ENUM64,
        Kind.FWD,
        Kind.TYPE_TAG,
        Kind.DECL_TAG,
    }
)
"""Kinds that give kind_flag a meaning."""

_INT_SIGNED: Final = 1
_INT_CHAR: Final = 2
_INT_BOOL: Final = 4

_TYPE: Final = struct.Struct("<III")  # name_off, info, size or type
_U32: Final = struct.Struct("<I")
_PAIR: Final = struct.Struct("<II")
_TRIPLE: Final = struct.Struct("<III")


def sections(data: bytes) -> tuple[bytes, Strings]:
    """The type bytes and the strings of a .BTF section, after checking its header."""
    if len(data) < HEADER.size:
        raise BtfError("shorter than its header")
    if len(data) > MAX_BYTES:
        raise BtfError(f"larger than {MAX_BYTES} bytes")
    magic, version, flags, header, type_off, type_len, str_off, str_len = HEADER.unpack_from(data)
    if magic != MAGIC:
        raise BtfError(f"magic {magic:#06x} is not {MAGIC:#06x} (little-endian)")
    if version != 1 or flags != 0:
        raise BtfError(f"version {version}, flags {flags:#x} are unknown")
    if not HEADER.size <= header <= len(data) or any(data[HEADER.size : header]):
        raise BtfError(f"unknown header of {header} bytes")
    body = memoryview(data)[header:]
    if type_off + type_len > len(body) or str_off + str_len > len(body):
        raise BtfError("types or strings lie outside the section")
    strings = Strings(bytes(body[str_off : str_off + str_len]))
    return bytes(body[type_off : type_off + type_len]), strings


def parse(data: bytes) -> Btf:
    """The type table of a .BTF section. Raises :exc:`BtfError`."""
    raw, strings = sections(data)
    types: list[Type] = []
    at = 0
    while at < len(raw):
        try:
            row, at = _parse_type(raw, at, strings)
        except (struct.error, ValueError):
            raise BtfError("cut short or malformed", type_id=len(types) + 1) from None
        except BtfError as error:
            raise BtfError(str(error).removeprefix("BTF: "), type_id=len(types) + 1) from None
        types.append(row)
    for type_id, row in enumerate(types, 1):
        for target in references(row):
            if target > len(types):
                raise BtfError(f"refers to type {target}, which is not there", type_id=type_id)
    return Btf(tuple(types))


def _parse_type(raw: bytes, at: int, strings: Strings) -> tuple[Type, int]:
    name_off, info, extra = _TYPE.unpack_from(raw, at)
    at += _TYPE.size
    kind, count, flag = info >> 24 & 0x1F, info & 0xFFFF, bool(info >> 31)
    if info & 0x60FF0000 or (flag and kind not in _FLAGGED):
        raise BtfError(f"reserved bits set in {info:#010x}")
    name = strings.name(name_off)
    match kind:
        case Kind.INT:
            (encoding,) = _U32.unpack_from(raw, at)
            return _parse_int(name, extra, encoding), at + 4
        case Kind.PTR:
            return Ptr(extra), at
        case Kind.ARRAY:
            element, index, length = _TRIPLE.unpack_from(raw, at)
            return Array(element, index, length), at + 12
        case Kind.STRUCT | Kind.UNION:
            members = tuple(
                Member(
                    strings.name(member_name),
                    member_type,
                    offset & 0xFFFFFF if flag else offset,
                    offset >> 24 if flag else 0,
                )
                for member_name, member_type, offset in _rows(_TRIPLE, raw, at, count)
            )
            return Struct(name, extra, members, union=kind == Kind.UNION), at + 12 * count
        case Kind.ENUM:
            values = tuple(
                (strings.name(value_name), value - (1 << 32) if flag and value >> 31 else value)
                for value_name, value in _rows(_PAIR, raw, at, count)
            )
            return Enum(name, extra, values, signed=flag), at + 8 * count
        case Kind.ENUM64:
            wide = tuple(
                (strings.name(value_name), low | high << 32)
                for value_name, low, high in _rows(_TRIPLE, raw, at, count)
            )
            values = tuple((n, v - (1 << 64) if flag and v >> 63 else v) for n, v in wide)
            return Enum(name, extra, values, signed=flag, is64=True), at + 12 * count
        case Kind.FWD:
            return Fwd(name, union=flag), at
        case Kind.TYPEDEF:
            return Typedef(name, extra), at
        case Kind.VOLATILE | Kind.CONST | Kind.RESTRICT | Kind.TYPE_TAG:
            return Modifier(_MODIFIER_NAMES[kind], extra, name, attribute=flag), at
        case Kind.FUNC:
            return Func(name, extra, Linkage(count)), at
        case Kind.FUNC_PROTO:
            params = tuple(Param(strings.name(n), t) for n, t in _rows(_PAIR, raw, at, count))
            return FuncProto(extra, params), at + 8 * count
        case Kind.VAR:
            (linkage,) = _U32.unpack_from(raw, at)
            return Var(name, extra, Linkage(linkage)), at + 4
        case Kind.DATASEC:
            variables = tuple(SectionVar(*row) for row in _rows(_TRIPLE, raw, at, count))
            return Datasec(name, extra, variables), at + 12 * count
        case Kind.FLOAT:
            return Float(name, extra), at
        case Kind.DECL_TAG:
            (component,) = struct.unpack_from("<i", raw, at)
            return DeclTag(name, extra, component, attribute=flag), at + 4
        case _:
            raise BtfError(f"unknown kind {kind}")


def _parse_int(name: str, size: int, encoding: int) -> Int:
    flags, offset, bits = encoding >> 24 & 0xF, encoding >> 16 & 0xFF, encoding & 0xFF
    if encoding & 0xF000FF00 or flags & ~(_INT_SIGNED | _INT_CHAR | _INT_BOOL):
        raise BtfError(f"unknown integer encoding {encoding:#010x}")
    if size not in {1, 2, 4, 8, 16} or bits + offset > 8 * size:
        raise BtfError(f"an integer of {size} bytes with {bits} bits at bit {offset}")
    return Int(
        name,
        size,
        bits,
        signed=bool(flags & _INT_SIGNED),
        char=bool(flags & _INT_CHAR),
        boolean=bool(flags & _INT_BOOL),
        offset=offset,
    )


def _rows(layout: struct.Struct, raw: bytes, at: int, count: int) -> Iterator[tuple[int, ...]]:
    end = at + layout.size * count
    if end > len(raw):
        raise BtfError("cut short")
    return layout.iter_unpack(raw[at:end])


def references(row: Type) -> tuple[int, ...]:
    """The type ids that ``row`` names, in wire order; 0 is ``void``."""
    match row:
        case Int() | Float() | Enum() | Fwd():
            return ()
        case Ptr() | Typedef() | Modifier() | Func() | Var() | DeclTag():
            return (row.type,)
        case Array():
            return (row.type, row.index_type)
        case Struct():
            return tuple(member.type for member in row.members)
        case FuncProto():
            return (row.type, *(param.type for param in row.params))
        case Datasec():
            return tuple(var.type for var in row.vars)
        case _ as unreachable:
            assert_never(unreachable)


def encode(btf: Btf, strings: StringTable | None = None) -> bytes:
    """The .BTF section of ``btf``.

    ``strings`` lets .BTF.ext share the table: add its texts before calling. Raises
    :exc:`BtfError` where a number does not fit its field.
    """
    strings = StringTable() if strings is None else strings
    out = bytearray()
    for type_id, row in btf.items():
        try:
            out += _encode_type(row, strings)
        except struct.error:
            raise BtfError("a number does not fit its field", type_id=type_id) from None
    text = strings.data()
    header = HEADER.pack(MAGIC, 1, 0, HEADER.size, 0, len(out), len(out), len(text))
    return header + bytes(out) + text


def _head(
    strings: StringTable, kind: int, extra: int, name: str = "", count: int = 0, flag: bool = False
) -> bytes:
    if count > 0xFFFF:
        raise struct.error("count")
    return _TYPE.pack(strings.add(name), kind << 24 | count | flag << 31, extra)


def _encode_type(row: Type, strings: StringTable) -> bytes:
    match row:
        case Int():
            flags = row.signed * _INT_SIGNED | row.char * _INT_CHAR | row.boolean * _INT_BOOL
            encoding = flags << 24 | row.offset << 16 | row.bits
            return _head(strings, Kind.INT, row.size, row.name) + _U32.pack(encoding)
        case Float():
            return _head(strings, Kind.FLOAT, row.size, row.name)
        case Ptr():
            return _head(strings, Kind.PTR, row.type)
        case Array():
            return _head(strings, Kind.ARRAY, 0) + _TRIPLE.pack(row.type, row.index_type, row.count)
        case Struct():
            return _encode_struct(row, strings)
        case Enum():
            return _encode_enum(row, strings)
        case Fwd():
            return _head(strings, Kind.FWD, 0, row.name, flag=row.union)
        case Typedef():
            return _head(strings, Kind.TYPEDEF, row.type, row.name)
        case Modifier():
            if row.kind not in _MODIFIERS:
                raise BtfError(f"unknown modifier {row.kind!r}")
            kind = _MODIFIERS[row.kind]
            return _head(strings, kind, row.type, row.name, flag=row.attribute)
        case Func():
            return _head(strings, Kind.FUNC, row.type, row.name, row.linkage)
        case FuncProto():
            head = _head(strings, Kind.FUNC_PROTO, row.type, count=len(row.params))
            return head + b"".join(_PAIR.pack(strings.add(p.name), p.type) for p in row.params)
        case Var():
            return _head(strings, Kind.VAR, row.type, row.name) + _U32.pack(row.linkage)
        case Datasec():
            head = _head(strings, Kind.DATASEC, row.size, row.name, len(row.vars))
            return head + b"".join(_TRIPLE.pack(v.type, v.offset, v.size) for v in row.vars)
        case DeclTag():
            head = _head(strings, Kind.DECL_TAG, row.type, row.name, flag=row.attribute)
            return head + struct.pack("<i", row.component)
        case _ as unreachable:
            assert_never(unreachable)


def _encode_struct(row: Struct, strings: StringTable) -> bytes:
    """With any bitfield, offsets carry their width in the top byte (kind_flag)."""
    flag = any(member.bitfield_size for member in row.members)
    kind = Kind.UNION if row.union else Kind.STRUCT
    out = bytearray(_head(strings, kind, row.size, row.name, len(row.members), flag))
    for member in row.members:
        if flag and member.bit_offset >> 24:
            raise struct.error("bitfield offset")
        offset = member.bit_offset | member.bitfield_size << 24
        out += _TRIPLE.pack(strings.add(member.name), member.type, offset)
    return bytes(out)


def _encode_enum(row: Enum, strings: StringTable) -> bytes:
    kind = Kind.ENUM64 if row.is64 else Kind.ENUM
    out = bytearray(_head(strings, kind, row.size, row.name, len(row.values), row.signed))
    for name, value in row.values:
        if row.is64:
            out += _TRIPLE.pack(strings.add(name), value & 0xFFFFFFFF, value >> 32 & 0xFFFFFFFF)
        else:
            out += _PAIR.pack(strings.add(name), value & 0xFFFFFFFF)
    return bytes(out)
