"""Maps back to definitions: the ``.maps`` section's BTF for specs that were made or edited.

A definition that says what its spec says stays as it is, so that what was read is written back to
the same types. The counterpart of :mod:`beebox.obj.maps`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from beebox.btf.builder import Builder
from beebox.btf.types import Btf, Datasec, Enum, FuncProto, Member, Param, SectionVar, Var
from beebox.errors import BtfError, ObjectError
from beebox.obj.legacy_maps import is_legacy_section
from beebox.obj.maps import (
    SECTION,
    SLOT_BYTES,
    VALUES,
    definition,
    section_id,
    section_variables,
    slots_start,
)
from beebox.obj.model import MapSpec
from beebox.obj.section_descriptions import TAKEN_OUT
from beebox.tables.map_types import MapType


def describe(btf: Btf | None, maps: Mapping[str, MapSpec]) -> Btf | None:
    """``btf`` with every map of ``maps`` defined in ``.maps``; unchanged where it already is.

    A map's variable stays the same, also when it was one of a section ``maps``, from before BTF.
    """
    wanted = {name: spec for name, spec in maps.items() if stands_in_maps(spec)}
    known = section_variables(btf, SECTION)
    legacy = _legacy_sections(btf) if btf else {}
    if (
        not legacy
        and wanted.keys() == known.keys()
        and all(btf and _is_defined(btf, known[name], spec) for name, spec in wanted.items())
    ):
        return btf
    builder = Builder(btf)
    variables = {name: placed.type for name, placed in known.items()}
    for type_id, names in legacy.items():
        variables = names | variables
        builder.replace(type_id, TAKEN_OUT)
    placed: list[SectionVar] = []
    at = 0
    for name, spec in wanted.items():
        old = known.get(name)
        if btf and old and _is_defined(btf, old, spec):
            variable, size = old.type, old.size
        else:
            struct, size = _definition_struct(builder, spec)
            variable = variables.get(name) or builder.add(Var(name, struct))
            builder.replace(variable, Var(name, struct))
        placed.append(SectionVar(variable, at, size))
        at += size
    if placed:
        builder.section(SECTION, at, tuple(placed))
    elif btf and section_id(btf, SECTION):
        builder.replace(section_id(btf, SECTION), TAKEN_OUT)
    return builder.build()


def _legacy_sections(btf: Btf) -> dict[int, dict[str, int]]:
    """The variables of sections of legacy maps, by the section's id."""
    return {
        type_id: {name: placed.type for name, placed in section_variables(btf, row.name).items()}
        for type_id, row in btf.items()
        if isinstance(row, Datasec) and is_legacy_section(row.name)
    }


def stands_in_maps(spec: MapSpec) -> bool:
    """Whether ``.maps`` defines it, rather than a section that holds its first value."""
    return spec.contents is None or spec.type is MapType.ARENA


def _is_defined(btf: Btf, placed: SectionVar, spec: MapSpec) -> bool:
    last = max((index for index, _ in spec.slots), default=-1)
    if placed.size < (slots_start(btf, placed) or 0) + SLOT_BYTES * (last + 1):
        return False
    try:
        plain = replace(spec, frozen=False, slots=(), contents=None)
        return definition(btf, spec.name, placed.type) == plain
    except (ObjectError, BtfError):
        return False


def _wide(builder: Builder, number: int) -> int:
    """The type of a member that says a number of more than 32 bits: ``__ulong`` of libbpf."""
    return builder.add(Enum("", 8, ((f"__unique_value_{number:x}", number),), is64=True))


def _definition_struct(builder: Builder, spec: MapSpec) -> tuple[int, int]:
    """The struct's type, and its bytes with the first elements behind it."""
    holds_programs = spec.type is MapType.PROG_ARRAY
    needs_types = spec.type.value.needs_btf
    numbers = {"type": spec.type.value.id, "max_entries": spec.max_entries}
    numbers |= {"map_flags": int(spec.flags), "map_extra": spec.extra}
    numbers |= {"pinning": int(spec.pinning), "numa_node": spec.numa_node}
    types: dict[str, int] = {}
    if spec.key_type_id or needs_types:
        types["key"] = spec.key_type_id or builder.bytes(spec.key_size)
    else:
        numbers["key_size"] = spec.key_size
    holds_programs = holds_programs and (bool(spec.slots) or not spec.value_type_id)
    if spec.inner is None and not holds_programs:
        if spec.value_type_id or needs_types:
            types["value"] = spec.value_type_id or builder.bytes(spec.value_size)
        else:
            numbers["value_size"] = spec.value_size
    targets = {
        name: builder.array(builder.signed_int(), number)
        for name, number in numbers.items()
        if number and not number >> 32
    } | types
    wide = {name: number for name, number in numbers.items() if number >> 32}
    members = [
        Member(name, _wide(builder, target) if name in wide else builder.pointer(target), 64 * at)
        for at, (name, target) in enumerate((targets | wide).items())
    ]
    size = 8 * len(members)
    if spec.inner is not None or holds_programs:
        if spec.inner is not None:
            element = _definition_struct(builder, spec.inner)[0]
        else:
            integer = builder.signed_int()
            element = builder.add(FuncProto(integer, (Param("", builder.pointer(0)),)))
        values = builder.array(builder.pointer(element), 0)
        members.append(Member(VALUES, values, 8 * size))
    slots = max((index for index, _ in spec.slots), default=-1) + 1
    return builder.struct("", size, tuple(members)), size + SLOT_BYTES * slots
