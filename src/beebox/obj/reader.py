"""ELF bytes to :class:`ObjectSpec`: what clang, GCC, Rust, Go's tools and our compiler emit.

As libbpf reads objects, but also what its older versions, aya and iproute2 give a meaning. Sections
that mean nothing to a loader are passed over; a reference into one is an error. Pointers in data
are passed over, too: they hold what the file has for them, as with libbpf. Total: any bytes give a
spec or an ``InputError``, in bounded time. Source: libbpf's conventions for sections and symbols.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from beebox.btf.types import Btf
from beebox.errors import ObjectError
from beebox.obj import maps as map_definitions
from beebox.obj import variables
from beebox.obj.code import Code, find_functions
from beebox.obj.elf import Elf, Section, SectionFlag, SectionType
from beebox.obj.elf import read as read_elf
from beebox.obj.externs import read_externs
from beebox.obj.legacy_maps import is_legacy_section, read_legacy_maps, with_programs
from beebox.obj.model import FunctionTable, MapSpec, ObjectSpec
from beebox.obj.relocations import Function, Targets
from beebox.obj.section_descriptions import ARENA, STRUCT_OPS_SECTIONS
from beebox.obj.struct_ops_sections import read_struct_ops
from beebox.obj.typeinfo import read_types
from beebox.tables.limits import PAGE_BYTES
from beebox.tables.map_types import MapType

_TYPES: Final = frozenset({".BTF", ".BTF.ext", variables.SECTION})
_KNOWN: Final = frozenset(
    {map_definitions.SECTION, "license", "version", ".eh_frame", *STRUCT_OPS_SECTIONS, *_TYPES}
)


def read(data: bytes, *, file: str = "<object>") -> ObjectSpec:
    """The object in ``data``; ``file`` is its name in errors.

    Raises :exc:`ObjectError` or :exc:`BtfError`; so does, with :exc:`DecodeError`, the first look
    at one of its functions (:class:`FunctionTable`).
    """
    elf = read_elf(data, file=file)
    _check_compression(elf, file)
    types = read_types(elf, file=file)
    functions = find_functions(elf, file=file)
    maps = _maps(elf, types.btf, functions, file)
    externs = read_externs(elf, types.btf, file=file)
    targets = Targets(elf, functions, maps.by_name, maps.places, maps.data, externs, file)
    code = Code(targets, types)
    return ObjectSpec(
        FunctionTable({row.name: elf.sections[row.section].name for row in functions}, code.make),
        maps.by_name,
        license=_license(elf, file),
        btf=types.btf,
        file=file,
        version=_version(elf, file),
        externs=externs,
        foreign=_foreign(elf, maps.data),
        byte_order=elf.byte_order,
    )


def _check_compression(elf: Elf, file: str) -> None:
    """Tools compress debug sections, which only cost names; of what loads, nothing is guessed."""
    for section in elf.sections:
        if section.flags & SectionFlag.COMPRESSED and not section.name.startswith(".debug_"):
            raise ObjectError("it is compressed", file=file, section=section.name)


@dataclass(frozen=True, slots=True)
class _Maps:
    """Maps by name, and by section and offset those that code refers to by their symbol."""

    by_name: Mapping[str, MapSpec]
    places: Mapping[tuple[int, int], str]
    data: Mapping[int, str]
    """By section: the map that holds its bytes."""


def _maps(elf: Elf, btf: Btf | None, functions: Sequence[Function], file: str) -> _Maps:
    """The maps of all kinds of sections, in libbpf's order: definitions, data, struct_ops."""
    found: dict[str, MapSpec] = {}
    places: dict[tuple[int, int], str] = {}
    data: dict[int, str] = {}
    legacy = read_legacy_maps(elf, file=file)
    sections = [(row.name, elf.sections[row.section].name) for row in functions]
    _add(found, with_programs(legacy, sections, file), file)
    places |= {(row.section, row.offset): row.spec.name for row in legacy}
    at = elf.find(map_definitions.SECTION)
    if at is not None and elf.sections[at].size:
        if btf is None:
            raise ObjectError("maps need BTF", file=file, section=map_definitions.SECTION)
        _add(found, map_definitions.defined_maps(btf, file=file), file)
        variables_ = map_definitions.section_variables(btf, map_definitions.SECTION)
        places |= {(at, placed.offset): name for name, placed in variables_.items()}
    by_place = {(row.section, row.start): row.name for row in functions}
    found = map_definitions.with_slots(
        btf, found, _slot_targets(elf, {**by_place, **places}, file), file=file
    )
    for index, section in enumerate(elf.sections):
        if not section.size:
            continue
        is_arena = section.name == ARENA and section.type == SectionType.PROGBITS
        is_data = map_definitions.is_data_section(section.name) and _is_data(section)
        if (is_arena or is_data) and elf.find(section.name) != index:
            raise ObjectError("two maps of one name", file=file, section=section.name)
        if is_arena:
            data[index] = _put_in_arena(found, section, file)
        elif is_data:
            row = map_definitions.global_data_map(section.name, section.contents, btf)
            _add(found, {section.name: row}, file)
            data[index] = section.name
    _add(found, read_struct_ops(elf, btf, by_place, file=file), file)
    return _Maps(found, places, data)


def _add(found: dict[str, MapSpec], more: Mapping[str, MapSpec], file: str) -> None:
    for name in more:
        if name in found:
            raise ObjectError(f"there are two maps called {name}", file=file)
    found |= more


def _is_data(section: Section) -> bool:
    """Whether a data section's map is made of it: ``.bss`` has no bytes, the others have."""
    is_bss = section.name == ".bss" or section.name.startswith(".bss.")
    wanted = SectionType.NOBITS if is_bss else SectionType.PROGBITS
    return section.type == wanted and not section.is_code


def _put_in_arena(found: dict[str, MapSpec], section: Section, file: str) -> str:
    """Give the variables of address space 1 to the object's only arena."""
    arenas = [row for row in found.values() if row.type is MapType.ARENA]
    if len(arenas) != 1:
        problem = f"its variables need one arena; there are {len(arenas)}"
        raise ObjectError(problem, file=file, section=section.name)
    if section.size > arenas[0].max_entries * PAGE_BYTES:
        problem = f"{section.size} bytes do not fit into arena {arenas[0].name}"
        raise ObjectError(problem, file=file, section=section.name)
    found[arenas[0].name] = replace(arenas[0], contents=section.contents)
    return arenas[0].name


def _slot_targets(elf: Elf, names: Mapping[tuple[int, int], str], file: str) -> dict[int, str]:
    """What the relocations of ``.maps`` point to: names of functions and maps, by offset."""
    at = elf.find(map_definitions.SECTION)
    if at is None:
        return {}
    data = elf.sections[at].contents
    found: dict[int, str] = {}
    for row in elf.relocations.get(at, ()):
        symbol = elf.symbols[row.symbol]
        addend = int.from_bytes(data[row.offset : row.offset + 8], elf.byte_order)
        name = names.get((symbol.section, symbol.value + addend))
        if name is None or row.offset in found:
            raise ObjectError(
                "a pointer to neither a function nor a map",
                file=file,
                section=map_definitions.SECTION,
                offset=row.offset,
            )
        found[row.offset] = name
    return found


def _foreign(elf: Elf, known: Mapping[int, str]) -> dict[str, bytes]:
    """Data that would be loaded, if anybody knew what it is."""
    found: dict[str, bytes] = {}
    for index, section in enumerate(elf.sections):
        if section.type != SectionType.PROGBITS or not section.flags & SectionFlag.ALLOC:
            continue
        is_ours = section.name in _KNOWN or is_legacy_section(section.name) or index in known
        if section.size and not is_ours and not section.is_code:
            found.setdefault(section.name, section.contents)
    return found


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
    return int.from_bytes(data, elf.byte_order)
