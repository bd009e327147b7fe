"""The .BTF.ext section: which instruction starts which function and comes from which line.

Offsets are bytes from the start of the named ELF section. Total: any bytes give an :class:`Ext`
or :exc:`BtfError`. Both byte orders are read. Source: Documentation/bpf/btf.rst, ".BTF.ext
section".
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from beebox.btf.strings import Strings, StringTable
from beebox.btf.wire import MAGIC, MAX_BYTES, ByteOrder, swapped
from beebox.btf.wire import byte_order as order_of
from beebox.errors import BtfError

_HEADER: Final = struct.Struct("<HBBIIIII")
_CORE_HEADER: Final = struct.Struct("<II")
_FUNC: Final = struct.Struct("<II")
_LINE: Final = struct.Struct("<IIII")
_CORE: Final = struct.Struct("<IIII")
_SECTION: Final = struct.Struct("<II")

MAX_LINE: Final = (1 << 22) - 1
MAX_COLUMN: Final = (1 << 10) - 1


@dataclass(frozen=True, slots=True)
class FuncRecord:
    """At byte ``offset`` of its section starts the FUNC ``type_id``."""

    offset: int
    type_id: int


@dataclass(frozen=True, slots=True)
class LineRecord:
    """From byte ``offset`` on: line and column from 1 (0: unknown) of ``file``, its ``text``."""

    offset: int
    file: str
    line: int
    column: int
    text: str


@dataclass(frozen=True, slots=True)
class CoreRecord:
    """A CO-RE relocation: ``access`` is the path ("0:1:2"), ``kind`` a ``bpf_core_relo_kind``."""

    offset: int
    type_id: int
    access: str
    kind: int


@dataclass(frozen=True)
class Ext:
    """The three tables, each by ELF section name."""

    functions: Mapping[str, tuple[FuncRecord, ...]] = field(default_factory=dict)
    lines: Mapping[str, tuple[LineRecord, ...]] = field(default_factory=dict)
    core: Mapping[str, tuple[CoreRecord, ...]] = field(default_factory=dict)


def parse(data: bytes, strings: Strings) -> Ext:
    """The tables of a .BTF.ext section, whose texts lie in .BTF's ``strings``."""
    if len(data) < _HEADER.size or len(data) > MAX_BYTES:
        raise BtfError(f"BTF.ext of {len(data)} bytes")
    data = _little(data)
    _, version, flags, header, *places = _HEADER.unpack_from(data)
    if version != 1 or flags != 0:
        raise BtfError(f"BTF.ext: unknown version {version} or flags {flags}")
    with_core = _HEADER.size + _CORE_HEADER.size
    if header not in {_HEADER.size, with_core} or header > len(data):
        raise BtfError(f"BTF.ext: unknown header of {header} bytes")
    places += _CORE_HEADER.unpack_from(data, _HEADER.size) if header == with_core else (0, 0)
    func_at, func_size, line_at, line_size, core_at, core_size = places
    body = data[header:]
    functions = {
        section: tuple(FuncRecord(*record) for record in records)
        for section, records in _table(body, func_at, func_size, _FUNC, strings).items()
    }
    lines = {
        section: tuple(
            LineRecord(at, strings.text(file), place >> 10, place & MAX_COLUMN, strings.text(text))
            for at, file, text, place in records
        )
        for section, records in _table(body, line_at, line_size, _LINE, strings).items()
    }
    core = {
        section: tuple(
            CoreRecord(at, type_id, strings.name(access), kind)
            for at, type_id, access, kind in records
        )
        for section, records in _table(body, core_at, core_size, _CORE, strings).items()
    }
    return Ext(functions, lines, core)


def _little(data: bytes) -> bytes:
    """``data`` in little-endian: all is words but magic, version and flags."""
    if order_of(data) == "little":
        return data
    if len(data) % 4:
        raise BtfError(f"BTF.ext: {len(data)} bytes are not whole words")
    return _other_order(data)


def _other_order(data: bytes) -> bytes:
    return data[1::-1] + data[2:4] + swapped(data[4:])


def _table(
    body: bytes, at: int, size: int, layout: struct.Struct, strings: Strings
) -> dict[str, list[tuple[int, ...]]]:
    """Records by section; a record longer than ``layout`` may only add zeros."""
    if size == 0:
        return {}
    end = at + size
    if end > len(body) or size < 4:
        raise BtfError("BTF.ext: a table lies outside the section")
    (record_size,) = struct.unpack_from("<I", body, at)
    if record_size < layout.size or record_size % 4:
        raise BtfError(f"BTF.ext: records of {record_size} bytes")
    at += 4
    found: dict[str, list[tuple[int, ...]]] = {}
    while at < end:
        if at + _SECTION.size > end:
            raise BtfError("BTF.ext: a table is cut short")
        name, count = _SECTION.unpack_from(body, at)
        at += _SECTION.size
        if count == 0 or at + count * record_size > end:
            raise BtfError("BTF.ext: a section's records are cut short")
        records = found.setdefault(strings.name(name), [])
        for start in range(at, at + count * record_size, record_size):
            if any(body[start + layout.size : start + record_size]):
                raise BtfError("BTF.ext: a record has unknown fields")
            records.append(layout.unpack_from(body, start))
        at += count * record_size
    return found


def encode(ext: Ext, strings: StringTable, byte_order: ByteOrder = "little") -> bytes:
    """The .BTF.ext section; its texts go to ``strings``, which .BTF then carries.

    Raises :exc:`BtfError` where a number does not fit its field.
    """
    try:
        data = _encoded(ext, strings)
    except struct.error:
        raise BtfError("BTF.ext: a number does not fit its field") from None
    return data if byte_order == "little" else _other_order(data)


def _encoded(ext: Ext, strings: StringTable) -> bytes:
    functions = {
        section: [_FUNC.pack(record.offset, record.type_id) for record in records]
        for section, records in ext.functions.items()
    }
    lines = {
        section: [pack_line(record, record.offset, strings) for record in records]
        for section, records in ext.lines.items()
    }
    core = {
        section: [
            _CORE.pack(record.offset, record.type_id, strings.add(record.access), record.kind)
            for record in records
        ]
        for section, records in ext.core.items()
    }
    tables = [
        _encode_table(functions, _FUNC.size, strings),
        _encode_table(lines, _LINE.size, strings),
        _encode_table(core, _CORE.size, strings),
    ]
    places: list[int] = []
    at = 0
    for table in tables:
        places += [at, len(table)]
        at += len(table)
    header = _HEADER.pack(MAGIC, 1, 0, _HEADER.size + _CORE_HEADER.size, *places[:4])
    return header + _CORE_HEADER.pack(*places[4:]) + b"".join(tables)


def pack_func(offset: int, type_id: int) -> bytes:
    """A ``bpf_func_info`` row; bpf(2) wants ``offset`` in slots, .BTF.ext in bytes."""
    return _FUNC.pack(offset, type_id)


def pack_line(record: LineRecord, offset: int, strings: StringTable) -> bytes:
    """A ``bpf_line_info`` row; what does not fit its bits becomes 0, "unknown"."""
    line = record.line if record.line <= MAX_LINE else 0
    column = record.column if record.column <= MAX_COLUMN else 0
    file, text = strings.add(record.file), strings.add(record.text)
    return _LINE.pack(offset, file, text, line << 10 | column)


def _encode_table(
    table: Mapping[str, Sequence[bytes]], record_size: int, strings: StringTable
) -> bytes:
    out = bytearray()
    for section, records in table.items():
        if records:
            out += _SECTION.pack(strings.add(section), len(records)) + b"".join(records)
    return struct.pack("<I", record_size) + bytes(out) if out else b""
