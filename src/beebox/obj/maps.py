"""Map definitions of an object: the ``.maps`` section's BTF, and data sections as maps.

A BTF-defined map is a variable in ``.maps`` whose struct has no values, only types: a number N is
a pointer to ``int[N]`` or, of 64 bits, an enumeration of N alone; a key or value a pointer to its
type. A map of maps or programs ends in ``values``, an array of pointers to the inner map's
definition or to functions; relocations there name its first elements. Source: libbpf's ``__uint``,
``__ulong``, ``__type`` and ``__array`` (bpf_helpers.h). Data sections become arrays of one value,
named as their section. Whether a kernel can make such a map is not asked here: whoever loads may
change it before.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from beebox.btf.types import (
    Array,
    Btf,
    Datasec,
    Enum,
    FuncProto,
    Linkage,
    Member,
    Ptr,
    SectionVar,
    Struct,
    Var,
)
from beebox.errors import BtfError, ObjectError
from beebox.obj.map_rules import RINGS, ring_bytes
from beebox.obj.model import INNER, MapSpec, Pinning
from beebox.tables.map_types import MAP_TYPE_BY_ID, MapFlags, MapType

SECTION: Final = ".maps"
_NUMBERS: Final = (
    "type",
    "max_entries",
    "key_size",
    "value_size",
    "map_flags",
    "map_extra",
    "numa_node",
    "pinning",
)
_LONG: Final = "map_extra"
"""The only number with more than 32 bits, and so the only one that an enum may give."""

_TYPES: Final = ("key", "value")
VALUES: Final = "values"
SLOT_BYTES: Final = 8
_PINNINGS: Final = frozenset(Pinning)
_FD_BYTES: Final = 4  # a value of a map of maps or programs


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
    """The map that the variable ``type_id`` defines; which slots are filled is not BTF's to say."""
    variable = btf.type(type_id)
    if not isinstance(variable, Var):
        raise ObjectError(f"map {name}: its definition is no variable")
    if variable.linkage is not Linkage.GLOBAL:
        problem = "static" if variable.linkage is Linkage.STATIC else "defined in another object"
        raise ObjectError(f"map {name}: it is {problem}")
    return _defined(btf, name, variable.type)


def declaration(btf: Btf, name: str, type_id: int) -> MapSpec:
    """As :func:`definition`, for a map that another object may define."""
    variable = btf.type(type_id)
    return _defined(btf, name, variable.type if isinstance(variable, Var) else 0)


def _defined(btf: Btf, name: str, type_id: int, *, is_inner: bool = False) -> MapSpec:
    _, row = btf.resolve(type_id) if type_id else (0, None)
    if not isinstance(row, Struct):
        raise ObjectError(f"map {name}: its definition is no struct")
    fields: dict[str, int] = {}
    types = {"key": 0, "value": 0}
    values: Member | None = None
    for member in row.members:
        if member.name in fields or values is not None:
            raise ObjectError(f"map {name}: {member.name} is given twice, or behind its values")
        if member.name in _NUMBERS:
            fields[member.name] = _number(btf, name, member)
        elif member.name in _TYPES:
            types[member.name] = _pointee(btf, name, member)
            fields[member.name] = btf.size_of(types[member.name])
        elif member.name == VALUES and not is_inner:
            values = member
        else:
            raise ObjectError(f"map {name}: field {member.name!r} is not supported")
    kind = _map_type(name, fields)
    if fields.get("pinning", 0) not in _PINNINGS or (is_inner and fields.get("pinning")):
        raise ObjectError(f"map {name}: pinning {fields['pinning']} is not supported")
    if values is not None:
        fields.setdefault("value_size", _FD_BYTES)
    entries = fields.get("max_entries", 0)
    return MapSpec(
        name,
        kind,
        key_size=_size(name, fields, "key"),
        value_size=_size(name, fields, "value"),
        max_entries=ring_bytes(entries) if kind in RINGS else entries,
        flags=MapFlags(fields.get("map_flags", 0)),
        key_type_id=types["key"],
        value_type_id=types["value"],
        extra=fields.get("map_extra", 0),
        inner=_inner(btf, name, kind, values) if values is not None else None,
        pinning=Pinning(fields.get("pinning", 0)),
        numa_node=fields.get("numa_node", 0),
    )


def _inner(btf: Btf, name: str, kind: MapType, member: Member) -> MapSpec | None:
    """What the elements of ``values`` point to: the inner map; None for programs."""
    _, array = btf.resolve(member.type)
    _, pointer = btf.resolve(array.type) if isinstance(array, Array) else (0, None)
    if not isinstance(pointer, Ptr):
        raise ObjectError(f"map {name}: its values are no pointers")
    is_function = isinstance(btf.resolve(pointer.type)[1], FuncProto)
    if is_function and kind is MapType.PROG_ARRAY:
        return None
    if is_function or not kind.value.has_inner:
        raise ObjectError(f"map {name}: a {kind.value.name} has no such values")
    return _defined(btf, name + INNER, pointer.type, is_inner=True)


def slots_start(btf: Btf, placed: SectionVar) -> int | None:
    """Where, from the start of a map's definition in ``.maps``, its first elements are listed."""
    variable = btf.type(placed.type)
    row = btf.resolve(variable.type)[1] if isinstance(variable, Var) else None
    for member in row.members if isinstance(row, Struct) else ():
        if member.name == VALUES:
            return member.bit_offset // 8
    return None


def with_slots(
    btf: Btf | None, maps: Mapping[str, MapSpec], places: Mapping[int, str], *, file: str
) -> dict[str, MapSpec]:
    """The maps with their first elements: ``places`` names them by offset in ``.maps``."""
    if btf is None or not places:
        return dict(maps)
    found: dict[str, list[tuple[int, str]]] = {}
    rows = sorted(
        (placed.offset, placed.size, slots_start(btf, placed), name)
        for name, placed in section_variables(btf, SECTION).items()
        if slots_start(btf, placed) is not None
    )
    starts = [start for start, *_ in rows]
    for offset, target in sorted(places.items()):
        at = bisect_right(starts, offset) - 1
        begin, size, values, name = rows[at] if at >= 0 else (0, 0, 0, "")
        index, rest = divmod(offset - begin - (values or 0), SLOT_BYTES)
        if offset >= begin + size or index < 0 or rest:
            problem = "a pointer that is no element of a map"
            raise ObjectError(problem, file=file, section=SECTION, offset=offset)
        found.setdefault(name, []).append((index, target))
    return {
        name: replace(spec, slots=tuple(found[name])) if name in found else spec
        for name, spec in maps.items()
    }


def _pointee(btf: Btf, name: str, member: Member) -> int:
    row = btf.type(member.type)
    if not isinstance(row, Ptr):
        raise ObjectError(f"map {name}: field {member.name!r} is no pointer")
    return row.type


def _number(btf: Btf, name: str, member: Member) -> int:
    _, row = btf.resolve(member.type)
    if member.name == _LONG and isinstance(row, Enum) and len(row.values) == 1:
        return row.values[0][1] % (1 << 64)
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
