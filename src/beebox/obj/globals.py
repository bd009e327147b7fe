"""Global variables and constants of an object, set before it is loaded.

Those of an arena, too. Values of objects for big-endian machines stand in their data as those
machines have them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from beebox.btf import values
from beebox.btf.types import Array, Btf, Datasec, Enum, Float, Int, Ptr, SectionVar, Struct, Var
from beebox.errors import BtfError, NotSupportedError, ObjectError
from beebox.obj.elf import ByteOrder
from beebox.obj.maps import section_id
from beebox.obj.model import MapSpec, ObjectSpec
from beebox.obj.section_descriptions import value_section


def global_names(spec: ObjectSpec) -> tuple[str, ...]:
    """The names of all variables in data sections, in the object's order."""
    return tuple(name for name, _, _ in _variables(spec))


def constant_names(spec: ObjectSpec) -> tuple[str, ...]:
    """The names of those that nobody may write after load, in the object's order."""
    return tuple(name for name, row, _ in _variables(spec) if row.frozen)


def get_global(spec: ObjectSpec, name: str) -> values.Value:
    """The value that the variable ``name`` has at load. Raises :exc:`ObjectError`."""
    btf, section, place = _find(spec, name)
    contents = section.contents or b""
    data = contents[place.offset : place.offset + place.size]
    return values.decode(btf, place.type, _ordered(btf, place.type, data, spec.byte_order))


def set_global(spec: ObjectSpec, name: str, value: object) -> ObjectSpec:
    """``spec`` with the variable ``name`` set to ``value``, encoded by its BTF type.

    Constants too: they are fixed from load on, not before. Raises :exc:`ObjectError` for an
    unknown name, :exc:`BtfError` for a value that does not fit the type.
    """
    btf, section, place = _find(spec, name)
    try:
        data = values.encode(btf, place.type, value)
    except BtfError as cause:
        raise cause.within(f"variable {name}") from cause
    if len(data) != place.size:
        raise ObjectError(f"variable {name} has {place.size} bytes, its type {len(data)}")
    contents = bytearray(section.contents or b"")
    ordered = _ordered(btf, place.type, data, spec.byte_order)
    contents[place.offset : place.offset + place.size] = ordered
    changed = replace(section, contents=bytes(contents))
    return replace(spec, maps={**spec.maps, section.name: changed})


def _variables(spec: ObjectSpec) -> Iterator[tuple[str, MapSpec, SectionVar]]:
    """Name, map and place of every variable; two static ones may have one name."""
    for row in spec.maps.values():
        if spec.btf is None or not row.is_global_data:
            continue
        section = spec.btf.type(section_id(spec.btf, value_section(row)))
        for placed in section.vars if isinstance(section, Datasec) else ():
            variable = spec.btf.type(placed.type)
            if isinstance(variable, Var):
                yield variable.name, row, placed


def _find(spec: ObjectSpec, name: str) -> tuple[Btf, MapSpec, SectionVar]:
    found = [(row, placed) for known, row, placed in _variables(spec) if known == name]
    if spec.btf is None or len(found) != 1:
        known = ", ".join(global_names(spec)) or "none"
        problem = "is there more than once" if found else f"is not there (there are: {known})"
        raise ObjectError(f"global variable {name!r} {problem}", file=spec.file)
    return spec.btf, *found[0]


def _ordered(btf: Btf, type_id: int, data: bytes, order: ByteOrder) -> bytes:
    """``data`` of a type between little-endian and the object's order; it is its own inverse."""
    if order == "little":
        return data
    type_id, row = btf.resolve(type_id)
    match row:
        case Var():
            return _ordered(btf, row.type, data, order)
        case Int() | Enum() | Ptr() | Float():
            return data[::-1]
        case Array():
            size = btf.size_of(row.type) or 1
            return b"".join(
                _ordered(btf, row.type, data[at : at + size], order)
                for at in range(0, len(data), size)
            )
        case Struct(union=False) if not any(member.bitfield_size for member in row.members):
            out = bytearray(data)
            for member in row.members:
                at = member.bit_offset // 8
                size = btf.size_of(member.type)
                out[at : at + size] = _ordered(btf, member.type, data[at : at + size], order)
            return bytes(out)
        case _:
            raise NotSupportedError("bit fields and unions in big-endian data")
