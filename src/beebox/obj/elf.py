"""ELF64 relocatable objects for BPF: sections, symbols, relocations, both ways.

Both byte orders are read and written.

Reading is total: any bytes give an :class:`Elf` or :exc:`ObjectError`, in time and memory linear
in the file, because sections may not overlap and a name has a bounded length. It knows nothing of
what sections mean; ``obj.reader`` does. Source: System V ABI, chapter 4.
"""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from functools import cached_property
from typing import Final, Literal, TypeAlias

from beebox.errors import ObjectError

_HEADER: Final = struct.Struct("<16sHHIQQQIHHHHHH")
_SECTION: Final = struct.Struct("<IIQQQQIIQQ")
_SYMBOL: Final = struct.Struct("<IBBHQQ")
_REL: Final = struct.Struct("<QQ")
_IDENT: Final = b"\x7fELF\x02\x01\x01"
_BIG_IDENT: Final = b"\x7fELF\x02\x02\x01"
_OTHERS: Final = (
    (b"BC\xc0\xde", "LLVM bitcode: compile without -flto and -emit-llvm"),
    (b"!<arch>\n", "an archive: take the objects out (ar x) and link them (beebox gen object)"),
    (b"!<thin>\n", "a thin archive: link the objects that it names (beebox gen object)"),
)
ET_REL: Final = 1
EM_NONE: Final = 0  # of LLVM before 2017
EM_BPF: Final = 247

MAX_NAME_BYTES: Final = 4096
MAX_ZERO_BYTES: Final = 1 << 26
"""All NOBITS sections together: the only memory that the file's size does not bound."""


class SectionType(IntEnum):
    """``SHT_*``: the types that we give a meaning."""

    NULL = 0
    PROGBITS = 1
    SYMTAB = 2
    STRTAB = 3
    RELA = 4
    NOBITS = 8
    REL = 9


class SectionFlag(IntEnum):
    """``SHF_*``."""

    WRITE = 1
    ALLOC = 2
    EXECINSTR = 4
    INFO_LINK = 0x40
    COMPRESSED = 0x800


class SymbolType(IntEnum):
    """``STT_*``."""

    NOTYPE = 0
    OBJECT = 1
    FUNC = 2
    SECTION = 3
    FILE = 4


class SymbolBind(IntEnum):
    """``STB_*``."""

    LOCAL = 0
    GLOBAL = 1
    WEAK = 2


class Visibility(IntEnum):
    """``STV_*``."""

    DEFAULT = 0
    INTERNAL = 1
    HIDDEN = 2
    PROTECTED = 3


class RelocationType(IntEnum):
    """``R_BPF_*`` (LLVM's llvm/BinaryFormat/ELFRelocs/BPF.def)."""

    NONE = 0
    LDIMM64 = 1  # R_BPF_64_64
    ABS64 = 2
    ABS32 = 3
    NODYLD32 = 4
    CALL32 = 10  # R_BPF_64_32


ByteOrder: TypeAlias = Literal["little", "big"]
_ORDERS: Final[Mapping[bytes, ByteOrder]] = {_IDENT: "little", _BIG_IDENT: "big"}

SHN_UNDEF: Final = 0
SHN_LORESERVE: Final = 0xFF00


@dataclass(frozen=True, slots=True)
class Section:
    """One section; ``data`` is empty for NOBITS, whose ``size`` alone counts."""

    name: str
    type: int
    flags: int = 0
    data: bytes | memoryview = field(default=b"", repr=False)
    size: int = 0
    link: int = 0
    info: int = 0
    align: int = 1
    entry_size: int = 0

    @property
    def contents(self) -> bytes:
        """The bytes, zeros for NOBITS."""
        return bytes(self.size) if self.type == SectionType.NOBITS else bytes(self.data)

    @property
    def is_code(self) -> bool:
        """Whether the section holds instructions."""
        return self.type == SectionType.PROGBITS and bool(self.flags & SectionFlag.EXECINSTR)


@dataclass(frozen=True, slots=True)
class Symbol:
    """One symbol; ``section`` is an index, 0 for an undefined symbol, 0xFF00 and up reserved."""

    name: str
    type: int
    bind: int
    section: int
    value: int = 0
    size: int = 0
    visibility: int = Visibility.DEFAULT


@dataclass(frozen=True, slots=True)
class Relocation:
    """At byte ``offset`` of its section: patch in the symbol with index ``symbol``."""

    offset: int
    type: int
    symbol: int


@dataclass(frozen=True)
class Elf:
    """An object: section 0 and symbol 0 are the null entries, so that indices agree with it."""

    sections: tuple[Section, ...]
    symbols: tuple[Symbol, ...]
    relocations: Mapping[int, tuple[Relocation, ...]]
    byte_order: ByteOrder = "little"

    def find(self, name: str) -> int | None:
        """The index of the only section called ``name``; :exc:`ObjectError` when there are two."""
        if name in self._ambiguous:
            raise ObjectError("there are two sections of this name", section=name)
        return self._by_name.get(name)

    @cached_property
    def _by_name(self) -> dict[str, int]:
        return {section.name: index for index, section in enumerate(self.sections)}

    @cached_property
    def _ambiguous(self) -> set[str]:
        counts = Counter(section.name for section in self.sections)
        return {name for name, count in counts.items() if count > 1}


def read(data: bytes, *, file: str = "<object>") -> Elf:
    """The sections, symbols and relocations of an object. Raises :exc:`ObjectError`."""
    if len(data) < _HEADER.size or data[:4] != _IDENT[:4]:
        found = next((f", but {what}" for magic, what in _OTHERS if data.startswith(magic)), "")
        raise ObjectError(f"not an ELF file{found}", file=file)
    order = _ORDERS.get(bytes(data[: len(_IDENT)]))
    if order is None:
        raise ObjectError("not a 64-bit ELF file of version 1", file=file)
    _, kind, machine, version, *rest = _ordered(_HEADER, order).unpack_from(data)
    if kind != ET_REL or machine not in {EM_BPF, EM_NONE} or version != 1:
        raise ObjectError(
            f"not a BPF object (type {kind}, machine {machine}, version {version})", file=file
        )
    _entry, _phoff, shoff, _flags, _ehsize, _phentsize, _phnum, shentsize, shnum, shstrndx = rest
    if shentsize != _SECTION.size or shoff + shnum * shentsize > len(data) or shstrndx >= shnum:
        raise ObjectError("the section headers lie outside the file", file=file, offset=shoff)
    layout = _ordered(_SECTION, order)
    heads = [layout.unpack_from(data, shoff + index * shentsize) for index in range(shnum)]
    sections = _sections(data, heads, shstrndx, file)
    symbols = _symbols(sections, order, file)
    return Elf(sections, symbols, _relocations(sections, len(symbols), order, file), order)


def _ordered(layout: struct.Struct, order: ByteOrder) -> struct.Struct:
    return layout if order == "little" else struct.Struct(layout.format.replace("<", ">"))


def _sections(
    data: bytes, heads: Sequence[tuple[int, ...]], names_at: int, file: str
) -> tuple[Section, ...]:
    in_file = zeros = 0
    view = memoryview(data)
    bodies: list[memoryview] = []
    for index, (_, kind, _, _, offset, size, *_) in enumerate(heads):
        if kind in {SectionType.NULL, SectionType.NOBITS}:
            zeros += size if kind == SectionType.NOBITS else 0
            bodies.append(view[:0])
            continue
        if offset + size > len(data):
            raise ObjectError(f"section {index} lies outside the file", file=file, offset=offset)
        in_file += size
        bodies.append(view[offset : offset + size])
    if in_file > len(data) or zeros > MAX_ZERO_BYTES:
        raise ObjectError("sections overlap or are too large", file=file)
    names = bytes(bodies[names_at])
    return tuple(
        Section(
            _string(names, name, file),
            kind,
            flags,
            body,
            size if kind == SectionType.NOBITS else len(body),  # a NULL section's means nothing
            link,
            info,
            align,
            entry,
        )
        for (name, kind, flags, _, _, size, link, info, align, entry), body in zip(
            heads, bodies, strict=True
        )
    )


def _symbols(sections: tuple[Section, ...], order: ByteOrder, file: str) -> tuple[Symbol, ...]:
    tables = [section for section in sections if section.type == SectionType.SYMTAB]
    if not tables:
        return ()
    (table, *more) = tables
    if more:
        raise ObjectError("two symbol tables", file=file)
    if table.size % _SYMBOL.size or not table.link < len(sections):
        raise ObjectError("malformed symbol table", file=file, section=table.name)
    names = bytes(sections[table.link].data)
    symbols: list[Symbol] = []
    for name, info, other, section, value, size in _ordered(_SYMBOL, order).iter_unpack(table.data):
        if len(sections) <= section < SHN_LORESERVE:
            raise ObjectError(f"symbol {len(symbols)} has no section {section}", file=file)
        text = _string(names, name, file)
        if info & 15 == SymbolType.SECTION and section < len(sections) and not text:
            text = sections[section].name
        symbols.append(Symbol(text, info & 15, info >> 4, section, value, size, other & 3))
    return tuple(symbols)


class _Relocations(Mapping[int, tuple[Relocation, ...]]):
    """The relocations by section, decoded when asked for: most are those of debug sections."""

    def __init__(
        self, tables: Mapping[int, Section], symbols: int, order: ByteOrder, file: str
    ) -> None:
        self._tables = tables
        self._symbols = symbols
        self._order: ByteOrder = order
        self._file = file
        self._decoded: dict[int, tuple[Relocation, ...]] = {}

    def __getitem__(self, index: int) -> tuple[Relocation, ...]:
        if index not in self._decoded:
            table = self._tables[index]
            rows = tuple(
                Relocation(at, info & 0xFFFFFFFF, info >> 32)
                for at, info in _ordered(_REL, self._order).iter_unpack(table.data)
            )
            if any(row.symbol >= self._symbols for row in rows):
                problem = "a relocation without its symbol"
                raise ObjectError(problem, file=self._file, section=table.name)
            self._decoded[index] = rows
        return self._decoded[index]

    def __iter__(self) -> Iterator[int]:
        return iter(self._tables)

    def __len__(self) -> int:
        return len(self._tables)


def _relocations(
    sections: tuple[Section, ...], symbols: int, order: ByteOrder, file: str
) -> _Relocations:
    found: dict[int, Section] = {}
    for section in sections:
        if section.type != SectionType.REL:
            continue
        if section.size % _REL.size or section.info >= len(sections) or section.info in found:
            raise ObjectError("malformed relocations", file=file, section=section.name)
        found[section.info] = section
    return _Relocations(found, symbols, order, file)


def _string(table: bytes, offset: int, file: str) -> str:
    end = table.find(0, offset, offset + MAX_NAME_BYTES)
    if end < 0:
        if offset == 0 and not table:
            return ""
        raise ObjectError(f"string {offset:#x} has no end", file=file)
    try:
        return table[offset:end].decode()
    except UnicodeDecodeError:
        raise ObjectError(f"string {offset:#x} is not UTF-8", file=file) from None


def write(
    sections: Sequence[Section],
    symbols: Sequence[Symbol],
    relocations: Mapping[int, Sequence[Relocation]],
    *,
    byte_order: ByteOrder = "little",
) -> bytes:
    """The object file. Indices count from the null entries, which are added here.

    ``sections[0]`` therefore has index 1, as symbols and ``relocations`` name it; symbols may come
    in any order (local ones are written first and relocations follow them).
    """
    rel, entry = _ordered(_REL, byte_order), _ordered(_SYMBOL, byte_order)
    order = sorted(range(len(symbols)), key=lambda at: symbols[at].bind != SymbolBind.LOCAL)
    place = {old + 1: new + 1 for new, old in enumerate(order)}
    strings = _StringTable()
    all_sections = [Section("", SectionType.NULL, align=0), *sections]
    table_at = len(all_sections) + sum(1 for rows in relocations.values() if rows)
    for target, rows in relocations.items():
        if rows:
            packed = [
                rel.pack(row.offset, row.type | place[row.symbol] << 32)
                for row in sorted(rows, key=lambda row: row.offset)
            ]
            all_sections.append(
                Section(
                    ".rel" + all_sections[target].name,
                    SectionType.REL,
                    SectionFlag.INFO_LINK,
                    b"".join(packed),
                    link=table_at,
                    info=target,
                    align=8,
                    entry_size=_REL.size,
                )
            )
    rows_packed = [entry.pack(0, 0, 0, 0, 0, 0)]
    for at in order:
        row = symbols[at]
        name = strings.add("" if row.type == SymbolType.SECTION else row.name)
        info = row.bind << 4 | row.type
        rows_packed.append(entry.pack(name, info, row.visibility, row.section, row.value, row.size))
    local = sum(1 for row in symbols if row.bind == SymbolBind.LOCAL)
    all_sections.append(
        Section(
            ".symtab",
            SectionType.SYMTAB,
            data=b"".join(rows_packed),
            link=table_at + 1,
            info=local + 1,
            align=8,
            entry_size=_SYMBOL.size,
        )
    )
    names = [strings.add(section.name) for section in all_sections]
    names.append(strings.add(".strtab"))
    all_sections.append(Section(".strtab", SectionType.STRTAB, data=bytes(strings.data)))
    return _layout(all_sections, names, byte_order)


def _layout(sections: Sequence[Section], names: Sequence[int], order: ByteOrder) -> bytes:
    layout = _ordered(_SECTION, order)
    body = bytearray(_HEADER.size)
    heads: list[bytes] = []
    for section, name in zip(sections, names, strict=True):
        if section.type == SectionType.NULL:
            heads.append(bytes(_SECTION.size))
            continue
        body += bytes(-len(body) % max(1, section.align))
        size = section.size if section.type == SectionType.NOBITS else len(section.data)
        heads.append(
            layout.pack(
                name,
                section.type,
                section.flags,
                0,
                len(body),
                size,
                section.link,
                section.info,
                section.align,
                section.entry_size,
            )
        )
        body += section.data
    body += bytes(-len(body) % 8)
    ident = (_IDENT if order == "little" else _BIG_IDENT).ljust(16, b"\0")
    numbers = (_HEADER.size, 0, 0, _SECTION.size, len(sections), len(sections) - 1)
    _ordered(_HEADER, order).pack_into(
        body, 0, ident, ET_REL, EM_BPF, 1, 0, 0, len(body), 0, *numbers
    )
    return bytes(body) + b"".join(heads)


class _StringTable:
    def __init__(self) -> None:
        self.data = bytearray(b"\0")
        self._places = {"": 0}

    def add(self, text: str) -> int:
        if text not in self._places:
            self._places[text] = len(self.data)
            self.data += text.encode() + b"\0"
        return self._places[text]
