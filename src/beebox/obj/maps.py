"""Map definitions of an object: the ``.maps`` section's BTF, and data sections as maps.

A BTF-defined map is a variable in ``.maps`` whose struct has no values, only types: a number N is
a pointer to ``int[N]``, a key or value a pointer to its type. Source: libbpf's ``__uint`` and
``__type`` (bpf_helpers.h). Data sections become arrays of one value, named as their section.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from beebox.btf.builder import Builder
from beebox.btf.types import Array, Btf, Datasec, Int, Member, Ptr, SectionVar, Struct, Var
from beebox.errors import BtfError, MapError, ObjectError
from beebox.obj.map_rules import check_spec
from beebox.obj.model import MapSpec
from beebox.tables.map_types import MAP_TYPE_BY_ID, MapFlags, MapType

SECTION: Final = ".maps"
_NUMBERS: Final = ("type", "max_entries", "key_size", "value_size", "map_flags")
_TYPES: Final = ("key", "value")


def is_data_section(name: str) -> bool:
    """Whether ``name`` is that of a global-data section: .data, .rodata, .bss or a part of one."""
    return any(name == kind or name.startswith(kind + ".") for kind in (".data", ".rodata", ".bss"))


def global_data_map(name: str, contents: bytes, btf: Btf | None) -> MapSpec:
    """The map that stands for the data section ``name``."""
    frozen = name == ".rodata" or name.startswith(".rodata.")
    return MapSpec(
        name,
        MapType.ARRAY,
        key_size=4,
        value_size=len(contents),
        max_entries=1,
        flags=MapFlags.RDONLY_PROG if frozen else MapFlags.NONE,
        value_type_id=section_id(btf, name) if btf else 0,
        contents=contents,
        frozen=frozen,
    )


def section_id(btf: Btf, name: str) -> int:
    """The id of the DATASEC called ``name``, or 0."""
    for type_id in btf.named(name):
        if isinstance(btf.type(type_id), Datasec):
            return type_id
    return 0


def section_variables(btf: Btf | None, name: str) -> dict[str, SectionVar]:
    """The variables of the DATASEC called ``name``, by name."""
    row = btf.type(section_id(btf, name)) if btf else None
    found: dict[str, SectionVar] = {}
    if btf and isinstance(row, Datasec):
        for placed in row.vars:
            variable = btf.type(placed.type)
            if isinstance(variable, Var):
                found[variable.name] = placed
    return found


def defined_maps(btf: Btf, *, file: str) -> dict[str, MapSpec]:
    """Every map that ``.maps`` defines. Raises :exc:`ObjectError`, naming map and field."""
    found: dict[str, MapSpec] = {}
    for name, placed in section_variables(btf, SECTION).items():
        try:
            found[name] = definition(btf, name, placed.type)
        except BtfError as error:
            raise ObjectError(f"map {name}: {error}", file=file, section=SECTION) from None
        except ObjectError as error:
            raise ObjectError(str(error), file=file, section=SECTION) from None
    return found


def definition(btf: Btf, name: str, type_id: int) -> MapSpec:
    """The map that the variable ``type_id`` defines."""
    variable = btf.type(type_id)
    _, row = btf.resolve(variable.type) if isinstance(variable, Var) else (0, None)
    if not isinstance(row, Struct):
        raise ObjectError(f"map {name}: its definition is no struct")
    fields: dict[str, int] = {}
    types = {"key": 0, "value": 0}
    for member in row.members:
        if member.name in fields:
            raise ObjectError(f"map {name}: {member.name} is given twice")
        if member.name in _NUMBERS:
            fields[member.name] = _number(btf, name, member)
        elif member.name in _TYPES:
            types[member.name] = _pointee(btf, name, member)
            fields[member.name] = btf.size_of(types[member.name])
        else:
            raise ObjectError(f"map {name}: field {member.name!r} is not supported")
    return _checked(
        MapSpec(
            name,
            _map_type(name, fields),
            key_size=_size(name, fields, "key"),
            value_size=_size(name, fields, "value"),
            max_entries=fields.get("max_entries", 0),
            flags=MapFlags(fields.get("map_flags", 0)),
            key_type_id=types["key"],
            value_type_id=types["value"],
        )
    )


def _pointee(btf: Btf, name: str, member: Member) -> int:
    row = btf.type(member.type)
    if not isinstance(row, Ptr):
        raise ObjectError(f"map {name}: field {member.name!r} is no pointer")
    return row.type


def _number(btf: Btf, name: str, member: Member) -> int:
    _, row = btf.resolve(_pointee(btf, name, member))
    if not isinstance(row, Array):
        raise ObjectError(f"map {name}: field {member.name!r} is no number")
    return row.count


def _map_type(name: str, fields: Mapping[str, int]) -> MapType:
    number = fields.get("type", 0)
    if number not in MAP_TYPE_BY_ID:
        raise ObjectError(f"map {name}: map type {number} is not supported")
    return MAP_TYPE_BY_ID[number]


def _size(name: str, fields: Mapping[str, int], part: str) -> int:
    by_type, by_number = fields.get(part), fields.get(f"{part}_size")
    if by_type is not None and by_number is not None and by_type != by_number:
        raise ObjectError(f"map {name}: {part}_size {by_number}, but its type has {by_type}")
    size = by_type if by_type is not None else by_number
    return size or 0


def _checked(spec: MapSpec) -> MapSpec:
    try:
        check_spec(spec)
    except MapError as error:
        raise ObjectError(str(error)) from None
    return spec


def describe(btf: Btf | None, maps: Mapping[str, MapSpec]) -> Btf | None:
    """``btf`` with every map of ``maps`` defined in ``.maps``; unchanged where it already is."""
    wanted = {name: spec for name, spec in maps.items() if not spec.is_global_data}
    known = section_variables(btf, SECTION)
    if wanted.keys() == known.keys() and all(
        btf and _is_defined(btf, known[name], spec) for name, spec in wanted.items()
    ):
        return btf
    builder = Builder(btf)
    if not wanted and btf:
        # A row cannot be taken out without renumbering, and loaders want each section's bytes.
        builder.replace(section_id(btf, SECTION), Int("unsigned char", 1, 8))
        return builder.build()
    placed: list[SectionVar] = []
    at = 0
    for name, spec in wanted.items():
        old = known.get(name)
        if btf and old and _is_defined(btf, old, spec):
            variable, size = old.type, old.size
        else:
            struct, size = _definition_struct(builder, spec)
            variable = builder.add(Var(name, struct))
        placed.append(SectionVar(variable, at, size))
        at += size
    builder.section(SECTION, at, tuple(placed))
    return builder.build()


def _is_defined(btf: Btf, placed: SectionVar, spec: MapSpec) -> bool:
    try:
        return definition(btf, spec.name, placed.type) == replace(spec, frozen=False)
    except (ObjectError, BtfError):
        return False


def _definition_struct(builder: Builder, spec: MapSpec) -> tuple[int, int]:
    numbers = {"type": spec.type.value.id, "max_entries": spec.max_entries}
    if spec.flags:
        numbers["map_flags"] = int(spec.flags)
    targets = {
        name: builder.array(builder.signed_int(), number) for name, number in numbers.items()
    }
    targets["key"] = spec.key_type_id or builder.bytes(spec.key_size)
    targets["value"] = spec.value_type_id or builder.bytes(spec.value_size)
    members = tuple(
        Member(name, builder.pointer(target), 64 * index)
        for index, (name, target) in enumerate(targets.items())
    )
    return builder.struct("", 8 * len(members), members), 8 * len(members)
