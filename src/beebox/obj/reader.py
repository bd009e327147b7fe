"""ELF bytes to :class:`ObjectSpec`: what clang and our compiler emit for XDP programs.

Every section has a known meaning or the object is refused by its name, so that nothing a loader
would act on is lost silently. Total: any bytes give a spec or an ``InputError``, in bounded time.
Source: libbpf's conventions for sections and symbols.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from beebox.btf.types import Btf
from beebox.errors import ObjectError
from beebox.isa.codec import decode
from beebox.obj import maps as map_definitions
from beebox.obj import variables
from beebox.obj.elf import Elf, RelocationType, SectionType, Symbol, SymbolBind, SymbolType
from beebox.obj.elf import read as read_elf
from beebox.obj.externs import read_externs
from beebox.obj.model import FunctionSpec, MapSpec, ObjectSpec, VarRange
from beebox.obj.relocations import Function, Targets
from beebox.obj.typeinfo import core_of, lines_of, read_types, type_ids_of
from beebox.tables.limits import MAX_INSNS

_IGNORED: Final = (".debug_", ".llvm_addrsig", ".comment", ".note", ".eh_frame")
_IGNORED_TYPES: Final = {
    SectionType.NULL,
    SectionType.SYMTAB,
    SectionType.STRTAB,
    SectionType.REL,
}
_KNOWN: Final = {"license", "version", ".maps", ".BTF", ".BTF.ext", variables.SECTION}


def read(data: bytes, *, file: str = "<object>") -> ObjectSpec:
    """The object in ``data``; ``file`` is its name in errors.

    Raises :exc:`ObjectError`, :exc:`BtfError` or :exc:`DecodeError`. Variable names come from
    ``.beebox.vars``, else from DWARF, which is never an error: without them reports show registers.
    """
    elf = read_elf(data, file=file)
    _check_sections(elf, file)
    types = read_types(elf, file=file)
    functions = _functions(elf, file)
    maps = _maps(elf, types.btf, file)
    places = _map_places(elf, maps, file)
    maps = map_definitions.with_slots(
        types.btf, maps, _slot_targets(elf, functions, places, file), file=file
    )
    externs = read_externs(elf, types.btf, file=file)
    targets = Targets(elf, functions, maps, places, externs, file)
    core = core_of(elf, functions, types, file=file)
    lines = lines_of(elf, functions, types.ext, file=file)
    type_ids = type_ids_of(elf, functions, types, file=file)
    named = _variables(elf, functions)
    specs: dict[str, FunctionSpec] = {}
    for function in functions:
        section = elf.sections[function.section]
        insns = decode(bytes(section.data[function.start : function.end]))
        specs[function.name] = FunctionSpec(
            function.name,
            section.name,
            targets.relocate(insns, function),
            lines=lines.get(function.name, ()),
            type_id=type_ids.get(function.name, 0),
            variables=named.get(function.name, ()),
            is_global=function.is_global,
            is_weak=function.is_weak,
            core=core.get(function.name, ()),
        )
    return ObjectSpec(
        specs,
        maps,
        license=_license(elf, file),
        btf=types.btf,
        file=file,
        version=_version(elf, file),
        externs=externs,
    )


def _check_sections(elf: Elf, file: str) -> None:
    for section in elf.sections:
        name = section.name
        if section.type in _IGNORED_TYPES or section.is_code or not section.size:
            continue
        if name in _KNOWN or map_definitions.is_data_section(name) or name.startswith(_IGNORED):
            continue
        raise ObjectError("this section is not supported", file=file, section=name)


def _functions(elf: Elf, file: str) -> tuple[Function, ...]:
    """The function symbols of code sections.

    Code outside of them is dead: linkers leave the weak functions that others replaced. Two
    symbols may name the same function, but functions do not overlap otherwise.
    """
    by_section: dict[int, list[Symbol]] = {}
    for symbol in elf.symbols:
        if symbol.type == SymbolType.FUNC:
            by_section.setdefault(symbol.section, []).append(symbol)
    found: list[Function] = []
    for index, section in enumerate(elf.sections):
        if not section.is_code or not section.size:
            continue
        if section.size > 8 * MAX_INSNS or elf.find(section.name) != index:
            raise ObjectError("too much code", file=file, section=section.name)
        start = end = 0
        for symbol in sorted(by_section.get(index, ()), key=lambda symbol: symbol.value):
            is_alias = (symbol.value, symbol.value + symbol.size) == (start, end)
            start, begins_at = symbol.value, end
            end = symbol.value + symbol.size
            if (start < begins_at and not is_alias) or end > section.size or end == start:
                problem = f"function {symbol.name} is empty, overlaps another or lies outside"
                raise ObjectError(problem, file=file, section=section.name, offset=symbol.value)
            if start % 8 or symbol.size % 8:
                problem = f"function {symbol.name} is not made of whole instructions"
                raise ObjectError(problem, file=file, section=section.name, offset=symbol.value)
            is_global = symbol.bind != SymbolBind.LOCAL
            is_weak = symbol.bind == SymbolBind.WEAK
            found.append(
                Function(symbol.name, index, start, symbol.size, is_global, is_weak=is_weak)
            )
    names = {function.name for function in found}
    if len(names) != len(found) or "" in names:
        raise ObjectError("two functions have one name, or one has none", file=file)
    if sum(function.size for function in found) > 2 * sum(row.size for row in elf.sections):
        raise ObjectError("too many names for the same functions", file=file)
    return tuple(found)


def _maps(elf: Elf, btf: Btf | None, file: str) -> dict[str, MapSpec]:
    found: dict[str, MapSpec] = {}
    at = elf.find(map_definitions.SECTION)
    if at is not None and elf.sections[at].size:
        if btf is None:
            raise ObjectError("maps need BTF", file=file, section=map_definitions.SECTION)
        found |= map_definitions.defined_maps(btf, file=file)
    for index, section in enumerate(elf.sections):
        if not map_definitions.is_data_section(section.name) or not section.size:
            continue
        if section.type not in {SectionType.PROGBITS, SectionType.NOBITS} or section.is_code:
            continue
        if section.name in found or elf.find(section.name) != index:
            raise ObjectError("two maps of one name", file=file, section=section.name)
        for row in elf.relocations.get(index, ()):
            raise ObjectError(
                "pointers in data are not supported",
                file=file,
                section=section.name,
                offset=row.offset,
            )
        found[section.name] = map_definitions.global_data_map(section.name, section.contents, btf)
    return found


def _map_places(elf: Elf, maps: Mapping[str, MapSpec], file: str) -> dict[tuple[int, int], str]:
    """Map names by section index and offset, from the symbols in ``.maps``."""
    at = elf.find(map_definitions.SECTION)
    places: dict[tuple[int, int], str] = {}
    for symbol in elf.symbols:
        if not at or symbol.section != at or symbol.type != SymbolType.OBJECT:
            continue
        if symbol.name not in maps or (at, symbol.value) in places:
            raise ObjectError(
                f"map {symbol.name} has no definition of its own in BTF",
                file=file,
                section=map_definitions.SECTION,
            )
        places[at, symbol.value] = symbol.name
    return places


def _slot_targets(
    elf: Elf, functions: tuple[Function, ...], places: Mapping[tuple[int, int], str], file: str
) -> dict[int, str]:
    """What the relocations of ``.maps`` point to: names of functions and maps, by offset."""
    at = elf.find(map_definitions.SECTION)
    if at is None:
        return {}
    names = {(row.section, row.start): row.name for row in functions} | dict(places)
    data = elf.sections[at].contents
    found: dict[int, str] = {}
    for row in elf.relocations.get(at, ()):
        symbol = elf.symbols[row.symbol]
        addend = int.from_bytes(data[row.offset : row.offset + 8], "little")
        name = names.get((symbol.section, symbol.value + addend))
        if row.type != RelocationType.ABS64 or name is None or row.offset in found:
            raise ObjectError(
                "a pointer to neither a function nor a map",
                file=file,
                section=map_definitions.SECTION,
                offset=row.offset,
            )
        found[row.offset] = name
    return found


def _variables(elf: Elf, functions: tuple[Function, ...]) -> dict[str, tuple[VarRange, ...]]:
    at = elf.find(variables.SECTION)
    if at is not None and elf.sections[at].size:
        found = variables.parse(elf.sections[at].contents)
    else:
        from beebox.obj import dwarf  # noqa: PLC0415 -- only objects without our own table

        found = dwarf.read_variables(elf, functions)
    sizes = {function.name: function.size // 8 for function in functions}
    return {
        name: tuple(replace(row, end=min(row.end, sizes[name])) for row in rows)
        for name, rows in found.items()
        if name in sizes and all(row.start < sizes[name] for row in rows)
    }


def _license(elf: Elf, file: str) -> str:
    at = elf.find("license")
    if at is None:
        return ""
    try:
        return elf.sections[at].contents.split(b"\0")[0].decode()
    except UnicodeDecodeError:
        raise ObjectError("not UTF-8", file=file, section="license") from None


def _version(elf: Elf, file: str) -> int:
    at = elf.find("version")
    if at is None:
        return 0
    data = elf.sections[at].contents
    if len(data) != 4:
        raise ObjectError("not 4 bytes", file=file, section="version")
    return int.from_bytes(data, "little")
