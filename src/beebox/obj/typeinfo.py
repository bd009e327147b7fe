"""Types, lines and variable names of an ELF object, brought to its functions.

Compilers leave work to the loader: sizes and offsets of data sections in BTF are zero until
relocated, and line info counts bytes of sections, where specs count slots of functions.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final

from beebox.btf import codec, ext
from beebox.btf.strings import Strings
from beebox.btf.types import Btf, Datasec, Func, Linkage, SectionVar, Var
from beebox.btf.wire import Kind
from beebox.errors import ObjectError
from beebox.obj.elf import (
    Elf,
    RelocationType,
    Section,
    SectionFlag,
    SectionType,
    SymbolBind,
    SymbolType,
    Visibility,
)
from beebox.obj.externs import EXTERN_SECTIONS
from beebox.obj.model import CoreRelocation, LineInfo
from beebox.obj.relocations import Function
from beebox.tables.core_relocations import CoreKind

_RELOCATION_BYTES: Final[dict[int, int]] = {
    RelocationType.ABS64: 8,
    RelocationType.ABS32: 4,
    RelocationType.NODYLD32: 4,
}

_HIDDEN: Final = frozenset({Visibility.INTERNAL, Visibility.HIDDEN})
_CORE_KINDS: Final = frozenset(CoreKind)


@dataclass(frozen=True)
class TypeInfo:
    """What .BTF and .BTF.ext say; both may be missing. The latter is read when asked for.

    Its relocations add the places of sections, which are 0, so nobody needs them.
    """

    elf: Elf
    file: str
    btf: Btf | None = None
    strings: Strings | None = None

    @cached_property
    def ext(self) -> ext.Ext:
        """Lines, types of functions and CO-RE relocations by section of code."""
        at = self.elf.find(".BTF.ext")
        if self.strings is None or at is None or not self.elf.sections[at].size:
            return ext.Ext()
        return ext.parse(self.elf.sections[at].contents, self.strings)


def read_types(elf: Elf, *, file: str) -> TypeInfo:
    """The object's types, complete. Raises :exc:`ObjectError` or :exc:`BtfError`."""
    at = elf.find(".BTF")
    if at is None or not elf.sections[at].size:
        return TypeInfo(elf, file)
    btf = codec.parse(patched(elf, at, file=file))
    return TypeInfo(elf, file, _placed(elf, btf, file), btf.strings)


def patched(elf: Elf, at: int, *, file: str) -> bytes:
    """The bytes of section ``at`` with its data relocations applied: symbol plus what is there."""
    data = bytearray(elf.sections[at].contents)
    for row in elf.relocations.get(at, ()):
        size = _RELOCATION_BYTES.get(row.type)
        if size is None or row.offset + size > len(data):
            raise ObjectError(
                f"relocation of type {row.type} is not supported",
                file=file,
                section=elf.sections[at].name,
                offset=row.offset,
            )
        there = int.from_bytes(data[row.offset : row.offset + size], elf.byte_order)
        value = (elf.symbols[row.symbol].value + there) % (1 << 8 * size)
        data[row.offset : row.offset + size] = value.to_bytes(size, elf.byte_order)
    return bytes(data)


def _placed(elf: Elf, btf: Btf, file: str) -> Btf:
    """``btf`` as the kernel wants it: DATASECs with sizes and places, hidden symbols static.

    Compilers leave a DATASEC's size 0 and loaders fill in size and offsets; linkers have done so.
    """
    places = {
        (symbol.section, symbol.name): symbol.value
        for symbol in elf.symbols
        if symbol.type == SymbolType.OBJECT
    }
    hidden = {
        symbol.name
        for symbol in elf.symbols
        if symbol.visibility in _HIDDEN and symbol.bind != SymbolBind.LOCAL and symbol.section
    }
    types = list(btf.types)
    seen: set[str] = set()
    for type_id in btf.of_kind(Kind.DATASEC):
        row = btf.type(type_id)
        if isinstance(row, Datasec) and row.name not in EXTERN_SECTIONS:
            if row.name in seen:
                raise ObjectError("BTF describes it twice", file=file, section=row.name)
            seen.add(row.name)
            types[type_id - 1] = _placed_section(elf, btf, row, places, file)
    for name in sorted(hidden):
        for type_id in btf.named(name):
            row = btf.type(type_id)
            if isinstance(row, Var | Func) and row.linkage is Linkage.GLOBAL:
                types[type_id - 1] = replace(row, linkage=Linkage.STATIC)
    return Btf(tuple(types))


def _placed_section(
    elf: Elf, btf: Btf, row: Datasec, places: Mapping[tuple[int, str], int], file: str
) -> Datasec:
    section = elf.find(row.name)
    if section is None or not _holds_data(elf.sections[section]):
        found = [btf.type(var.type) for var in row.vars]
        elsewhere = [v.name for v in found if isinstance(v, Var) and v.linkage is Linkage.EXTERN]
        problem = "BTF places variables in it, but it holds no data"
        if elsewhere:
            problem = f"{elsewhere[0]!r} is declared here, but defined in another object"
        raise ObjectError(problem, file=file, section=row.name)
    placed: list[SectionVar] = []
    names: set[str] = set()
    for var in row.vars:
        variable = btf.type(var.type)
        if not isinstance(variable, Var):
            raise ObjectError("BTF places what is no variable", file=file, section=row.name)
        offset = var.offset
        if variable.linkage is not Linkage.STATIC:
            if variable.name in names:
                problem = f"BTF places two variables called {variable.name}"
                raise ObjectError(problem, file=file, section=row.name)
            names.add(variable.name)
            if row.size == 0:
                offset = places.get((section, variable.name), offset)
        if offset + var.size > elf.sections[section].size:
            problem = f"variable {variable.name} lies outside"
            raise ObjectError(problem, file=file, section=row.name)
        placed.append(SectionVar(var.type, offset, var.size))
    placed.sort(key=lambda var: var.offset)
    return Datasec(row.name, elf.sections[section].size, tuple(placed))


def _holds_data(section: Section) -> bool:
    """Whether variables can lie in the section: what a linker would allocate."""
    kinds = (SectionType.PROGBITS, SectionType.NOBITS)
    return section.type in kinds and bool(section.flags & SectionFlag.ALLOC)


class Lines:
    """Line info, function by function."""

    def __init__(self, functions: Sequence[Function], types: TypeInfo) -> None:
        self._types = types
        known = {types.elf.sections[function.section].name for function in functions}
        self._by_section: dict[str, tuple[list[int], list[ext.LineRecord]]] = {}
        for section, records in types.ext.lines.items():
            ordered = sorted(records, key=lambda record: record.offset)
            if section not in known:
                continue  # a linker replaced all of its functions
            if any(record.offset % 8 for record in ordered):
                problem = "lines of what is no instruction"
                raise ObjectError(problem, file=types.file, section=section)
            self._by_section[section] = ([record.offset for record in ordered], ordered)

    def of(self, function: Function) -> tuple[LineInfo, ...]:
        """The lines of ``function``, sorted, one per pc: the last of those that say one."""
        section = self._types.elf.sections[function.section].name
        offsets, records = self._by_section.get(section, ([], []))
        first, last = bisect_left(offsets, function.start), bisect_left(offsets, function.end)
        by_pc = {(row.offset - function.start) // 8: row for row in records[first:last]}
        return tuple(
            LineInfo(pc, row.file, row.line, row.column, row.text) for pc, row in by_pc.items()
        )


def type_ids_of(functions: Sequence[Function], types: TypeInfo) -> dict[str, int]:
    """The BTF FUNC of each function that has one."""
    owners = _Owners(functions, types)
    found: dict[str, int] = {}
    for section, records in types.ext.functions.items():
        for record in records:
            for function, pc in owners.at(section, record.offset):
                row = types.btf.type(record.type_id) if types.btf else None
                if pc or not isinstance(row, Func):
                    raise ObjectError(
                        "function info names no function",
                        file=types.file,
                        section=section,
                        offset=record.offset,
                    )
                found[function.name] = record.type_id
    return found


def core_of(
    functions: Sequence[Function], types: TypeInfo
) -> dict[str, tuple[CoreRelocation, ...]]:
    """The CO-RE relocations by function, sorted by pc, one for a pc."""
    owners = _Owners(functions, types)
    found: dict[str, dict[int, CoreRelocation]] = {}
    for section, records in types.ext.core.items():
        for record in records:
            for function, pc in owners.at(section, record.offset):
                rows = found.setdefault(function.name, {})
                if record.kind not in _CORE_KINDS or pc in rows:
                    problem = f"CO-RE relocation of kind {record.kind} is unknown or not alone here"
                    raise ObjectError(
                        problem, file=types.file, section=section, offset=record.offset
                    )
                if types.btf:
                    types.btf.type(record.type_id)
                kind = CoreKind(record.kind)
                rows[pc] = CoreRelocation(pc, kind, record.type_id, record.access)
    return {name: tuple(row for _, row in sorted(rows.items())) for name, rows in found.items()}


class _Owners:
    """Which functions a byte of a section belongs to."""

    def __init__(self, functions: Sequence[Function], types: TypeInfo) -> None:
        self._file = types.file
        self._by_section: dict[str, dict[int, list[Function]]] = {}
        for function in functions:
            name = types.elf.sections[function.section].name
            self._by_section.setdefault(name, {}).setdefault(function.start, []).append(function)
        self._starts = {name: sorted(rows) for name, rows in self._by_section.items()}

    def at(self, section: str, offset: int) -> list[tuple[Function, int]]:
        """The functions that byte ``offset`` of ``section`` belongs to, and the pc in them.

        None where a linker left a function that another one replaced.
        """
        starts = self._starts.get(section, [])
        if offset % 8:
            problem = "types or lines of what is no instruction"
            raise ObjectError(problem, file=self._file, section=section, offset=offset)
        place = bisect_right(starts, offset) - 1
        if place < 0:
            return []
        start = starts[place]
        rows = self._by_section[section][start]
        return [(row, (offset - start) // 8) for row in rows if offset < row.end]
