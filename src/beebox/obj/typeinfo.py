"""Types, lines and variable names of an ELF object, brought to its functions.

Compilers leave work to the loader: sizes and offsets of data sections in BTF are zero until
relocated, and line info counts bytes of sections, where specs count slots of functions.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from beebox.btf import codec, ext
from beebox.btf.types import Btf, Datasec, Func, SectionVar, Var
from beebox.errors import ObjectError
from beebox.obj.elf import Elf, RelocationType, Section, SectionFlag, SectionType, SymbolType
from beebox.obj.model import LineInfo
from beebox.obj.relocations import Function

_RELOCATION_BYTES: Final[dict[int, int]] = {
    RelocationType.ABS64: 8,
    RelocationType.ABS32: 4,
    RelocationType.NODYLD32: 4,
}


@dataclass(frozen=True, slots=True)
class TypeInfo:
    """What .BTF and .BTF.ext say; both may be missing."""

    btf: Btf | None
    ext: ext.Ext


def read_types(elf: Elf, *, file: str) -> TypeInfo:
    """The object's types, complete. Raises :exc:`ObjectError` or :exc:`BtfError`."""
    at = elf.find(".BTF")
    if at is None or not elf.sections[at].size:
        return TypeInfo(None, ext.Ext())
    raw = patched(elf, at, file=file)
    btf = _placed(elf, codec.parse(raw), file)
    ext_at = elf.find(".BTF.ext")
    if ext_at is None or not elf.sections[ext_at].size:
        return TypeInfo(btf, ext.Ext())
    _, strings = codec.sections(raw)
    tables = ext.parse(patched(elf, ext_at, file=file), strings)
    for section, records in tables.core.items():
        raise ObjectError(
            "CO-RE relocations are not supported",
            file=file,
            section=section,
            offset=records[0].offset,
        )
    return TypeInfo(btf, tables)


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
        there = int.from_bytes(data[row.offset : row.offset + size], "little")
        value = (elf.symbols[row.symbol].value + there) % (1 << 8 * size)
        data[row.offset : row.offset + size] = value.to_bytes(size, "little")
    return bytes(data)


def _placed(elf: Elf, btf: Btf, file: str) -> Btf:
    """``btf`` with the size of every DATASEC and the offsets of its variables filled in."""
    places = {
        (symbol.section, symbol.name): symbol.value
        for symbol in elf.symbols
        if symbol.type == SymbolType.OBJECT
    }
    types = list(btf.types)
    seen: set[str] = set()
    for type_id, row in btf.items():
        if not isinstance(row, Datasec):
            continue
        section = elf.find(row.name)
        if section is None or not _holds_data(elf.sections[section]):
            raise _elsewhere(btf, row, file)
        if row.name in seen:
            raise ObjectError("BTF describes it twice", file=file, section=row.name)
        seen.add(row.name)
        placed: list[SectionVar] = []
        names: set[str] = set()
        for var in row.vars:
            variable = btf.type(var.type)
            if not isinstance(variable, Var) or variable.name in names:
                raise ObjectError(
                    "BTF places what is no variable, or two of one name",
                    file=file,
                    section=row.name,
                )
            names.add(variable.name)
            offset = places.get((section, variable.name), var.offset)
            if offset + var.size > elf.sections[section].size:
                raise ObjectError(
                    f"variable {variable.name} lies outside", file=file, section=row.name
                )
            placed.append(SectionVar(var.type, offset, var.size))
        placed.sort(key=lambda var: var.offset)
        types[type_id - 1] = Datasec(row.name, elf.sections[section].size, tuple(placed))
    return Btf(tuple(types))


def _holds_data(section: Section) -> bool:
    """Whether variables can lie in the section: what a linker would allocate."""
    kinds = (SectionType.PROGBITS, SectionType.NOBITS)
    return section.type in kinds and bool(section.flags & SectionFlag.ALLOC)


def _elsewhere(btf: Btf, row: Datasec, file: str) -> ObjectError:
    """The refusal of .ksyms and .kconfig: sections of BTF alone, which a loader fills."""
    rows = [btf.type(var.type) for var in row.vars]
    names = ", ".join(repr(found.name) for found in rows if isinstance(found, Var | Func))
    problem = f"{names or 'nothing'} is defined elsewhere: kernel symbols are not supported"
    return ObjectError(problem, file=file, section=row.name)


def lines_of(
    elf: Elf, functions: Sequence[Function], tables: ext.Ext, *, file: str
) -> dict[str, tuple[LineInfo, ...]]:
    """Line info by function, sorted, one per pc."""
    owners = _Owners(elf, functions, file)
    found: dict[str, dict[int, LineInfo]] = {}
    for section, records in tables.lines.items():
        for record in records:
            function, pc = owners.at(section, record.offset)
            info = LineInfo(pc, record.file, record.line, record.column, record.text)
            found.setdefault(function.name, {})[pc] = info
    return {name: tuple(info for _, info in sorted(by_pc.items())) for name, by_pc in found.items()}


def type_ids_of(
    elf: Elf, functions: Sequence[Function], types: TypeInfo, *, file: str
) -> dict[str, int]:
    """The BTF FUNC of each function that has one."""
    owners = _Owners(elf, functions, file)
    found: dict[str, int] = {}
    for section, records in types.ext.functions.items():
        for record in records:
            function, pc = owners.at(section, record.offset)
            row = types.btf.type(record.type_id) if types.btf else None
            if pc or not isinstance(row, Func):
                raise ObjectError(
                    "function info names no function",
                    file=file,
                    section=section,
                    offset=record.offset,
                )
            found[function.name] = record.type_id
    return found


class _Owners:
    """Which function a byte of a section belongs to."""

    def __init__(self, elf: Elf, functions: Sequence[Function], file: str) -> None:
        self._file = file
        self._by_section: dict[str, list[Function]] = {}
        for function in functions:
            self._by_section.setdefault(elf.sections[function.section].name, []).append(function)
        self._starts = {
            name: [function.start for function in rows] for name, rows in self._by_section.items()
        }

    def at(self, section: str, offset: int) -> tuple[Function, int]:
        """The function that byte ``offset`` of ``section`` belongs to, and the pc in it."""
        place = bisect_right(self._starts.get(section, ()), offset) - 1
        if place >= 0 and offset % 8 == 0:
            function = self._by_section[section][place]
            if offset < function.end:
                return function, (offset - function.start) // 8
        raise ObjectError(
            "line or function info outside of any function",
            file=self._file,
            section=section,
            offset=offset,
        )
