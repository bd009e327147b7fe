"""The .BTF section: bytes to :class:`Btf` and back.

Total: any bytes give a :class:`Btf` whose references all name existing types, or
:exc:`BtfError`; time and memory are linear in the input. Cycles are legal here (a list node
points to itself): who walks the graph bounds the walk. Both byte orders are read.
Source: Documentation/bpf/btf.rst.
"""

from __future__ import annotations

import struct
from typing import Final, assert_never

from beebox.btf import lazy, wire
from beebox.btf.decode import INT_BOOL, INT_CHAR, INT_SIGNED
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
    Modifier,
    Ptr,
    Struct,
    Type,
    Typedef,
    Var,
    kind_of,
)
from beebox.btf.wire import HEADER, MAGIC, ByteOrder, Kind
from beebox.errors import BtfError

_TYPE: Final = struct.Struct("<III")  # name_off, info, size or type
_U32: Final = struct.Struct("<I")
_PAIR: Final = struct.Struct("<II")
_TRIPLE: Final = struct.Struct("<III")


def parse(data: bytes, base: Btf | None = None) -> Btf:
    """The type table of a .BTF section, every type checked; split BTF continues ``base``."""
    btf = view(data, base)
    return Btf(tuple(btf.types), base, btf.strings)


def view(data: bytes, base: Btf | None = None, index: bytes | None = None) -> Btf:
    """The type table of a .BTF section whose types are decoded, and checked, when asked for.

    ``index`` is what :meth:`lazy.Index.data` gave for the same bytes, where somebody kept it.
    Raises :exc:`BtfError`, as does each later access to a malformed type.
    """
    raw, strings = wire.sections(data, strings_of(base) if base is not None else None)
    first = 1 if base is None else len(base) + 1
    known = None if index is None else lazy.Index.from_data(index)
    return Btf(lazy.LazyTypes(raw, strings, first, known), base, strings)


def strings_of(btf: Btf) -> Strings:
    """The strings that split BTF on top of ``btf`` counts from: those it was read with."""
    if btf.strings is not None:
        return btf.strings
    table = StringTable(base=strings_of(btf.base) if btf.base is not None else None)
    for row in btf.types:
        _encode_type(row, table)
    return Strings(table.data(), strings_of(btf.base) if btf.base is not None else None)


def encode(btf: Btf, strings: StringTable | None = None, byte_order: ByteOrder = "little") -> bytes:
    """The .BTF section of ``btf``: its own types; those of its base are not in it.

    ``strings`` lets .BTF.ext share the table: add its texts before calling; for split BTF it must
    continue the base's. Raises :exc:`BtfError` where a number does not fit its field.
    """
    if strings is None:
        strings = StringTable(base=strings_of(btf.base) if btf.base is not None else None)
    out = bytearray()
    for type_id, row in btf.items():
        try:
            out += _encode_type(row, strings)
        except struct.error:
            raise BtfError("a number does not fit its field", type_id=type_id) from None
    text = strings.data()
    layout = HEADER if byte_order == "little" else wire.BIG_HEADER
    header = layout.pack(MAGIC, 1, 0, HEADER.size, 0, len(out), len(out), len(text))
    return header + (bytes(out) if byte_order == "little" else wire.swapped(bytes(out))) + text


def _head(
    strings: StringTable, kind: int, extra: int, name: str = "", count: int = 0, flag: bool = False
) -> bytes:
    if count > 0xFFFF:
        raise struct.error("count")
    return _TYPE.pack(strings.add(name), kind << 24 | count | flag << 31, extra)


def _encode_type(row: Type, strings: StringTable) -> bytes:
    match row:
        case Int():
            flags = row.signed * INT_SIGNED | row.char * INT_CHAR | row.boolean * INT_BOOL
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
            return _head(strings, kind_of(row), row.type, row.name, flag=row.attribute)
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
    out = bytearray(_head(strings, kind_of(row), row.size, row.name, len(row.members), flag))
    for member in row.members:
        if flag and member.bit_offset >> 24:
            raise struct.error("bitfield offset")
        offset = member.bit_offset | member.bitfield_size << 24
        out += _TRIPLE.pack(strings.add(member.name), member.type, offset)
    return bytes(out)


def _encode_enum(row: Enum, strings: StringTable) -> bytes:
    out = bytearray(_head(strings, kind_of(row), row.size, row.name, len(row.values), row.signed))
    for name, value in row.values:
        if row.is64:
            out += _TRIPLE.pack(strings.add(name), value & 0xFFFFFFFF, value >> 32 & 0xFFFFFFFF)
        else:
            out += _PAIR.pack(strings.add(name), value & 0xFFFFFFFF)
    return bytes(out)
