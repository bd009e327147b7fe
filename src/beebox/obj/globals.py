"""Global variables and constants of an object, set before it is loaded."""

from __future__ import annotations

from dataclasses import replace

from beebox.btf import values
from beebox.btf.types import Btf, SectionVar
from beebox.errors import ObjectError
from beebox.obj.maps import section_variables
from beebox.obj.model import MapSpec, ObjectSpec


def global_names(spec: ObjectSpec) -> tuple[str, ...]:
    """The names of all variables in data sections, in the object's order."""
    return tuple(
        name
        for row in spec.maps.values()
        if row.is_global_data
        for name in section_variables(spec.btf, row.name)
    )


def get_global(spec: ObjectSpec, name: str) -> values.Value:
    """The value that the variable ``name`` has at load. Raises :exc:`ObjectError`."""
    btf, section, place = _find(spec, name)
    contents = section.contents or b""
    return values.decode(btf, place.type, contents[place.offset : place.offset + place.size])


def set_global(spec: ObjectSpec, name: str, value: object) -> ObjectSpec:
    """``spec`` with the variable ``name`` set to ``value``, encoded by its BTF type.

    Constants too: they are fixed from load on, not before. Raises :exc:`ObjectError` for an
    unknown name, :exc:`BtfError` for a value that does not fit the type.
    """
    btf, section, place = _find(spec, name)
    data = values.encode(btf, place.type, value)
    if len(data) != place.size:
        raise ObjectError(f"variable {name} has {place.size} bytes, its type {len(data)}")
    contents = bytearray(section.contents or b"")
    contents[place.offset : place.offset + place.size] = data
    changed = replace(section, contents=bytes(contents))
    return replace(spec, maps={**spec.maps, section.name: changed})


def _find(spec: ObjectSpec, name: str) -> tuple[Btf, MapSpec, SectionVar]:
    found = [
        (spec.btf, row, variables[name])
        for row in spec.maps.values()
        if row.is_global_data and spec.btf
        for variables in [section_variables(spec.btf, row.name)]
        if name in variables
    ]
    if len(found) != 1:
        known = ", ".join(global_names(spec)) or "none"
        problem = "is there more than once" if found else f"is not there (there are: {known})"
        raise ObjectError(f"global variable {name!r} {problem}", file=spec.file)
    return found[0]
