"""Sections of struct_ops: variables of a struct of functions become maps of that type.

``.struct_ops`` maps are registered by a write, ``.struct_ops.link`` ones by a link; a ``?`` before
the name means that loaders do not make them unasked. Source: libbpf's treatment of the sections.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import replace

from beebox.btf.types import Btf, Datasec, FuncProto, Ptr, Struct, Var
from beebox.errors import ObjectError
from beebox.obj.elf import Elf
from beebox.obj.maps import section_id
from beebox.obj.model import MapSpec
from beebox.obj.section_descriptions import STRUCT_OPS_LINK, STRUCT_OPS_SECTIONS
from beebox.tables.map_types import MapFlags, MapType


def read_struct_ops(
    elf: Elf, btf: Btf | None, functions: Mapping[tuple[int, int], str], *, file: str
) -> dict[str, MapSpec]:
    """The maps by name; ``functions`` are names by section and offset.

    Raises :exc:`ObjectError`.
    """
    found: dict[str, MapSpec] = {}
    for section in STRUCT_OPS_SECTIONS:
        index = elf.find(section)
        if index is None or not elf.sections[index].size:
            continue
        row = btf.type(section_id(btf, section)) if btf else None
        if btf is None or not isinstance(row, Datasec):
            raise ObjectError("struct_ops need BTF", file=file, section=section)
        places: list[tuple[int, str, Struct]] = []
        contents = elf.sections[index].contents
        for placed in row.vars:
            variable = btf.type(placed.type)
            type_id, struct = btf.resolve(variable.type if isinstance(variable, Var) else 0)
            if not isinstance(variable, Var) or not isinstance(struct, Struct) or not struct.name:
                raise ObjectError("a variable of no named struct", file=file, section=section)
            end = placed.offset + struct.size
            data = contents[placed.offset : end]
            if len(data) != struct.size or variable.name in found:
                problem = f"{variable.name} lies outside, or there are two"
                raise ObjectError(problem, file=file, section=section)
            flags = MapFlags.LINK if section.endswith(STRUCT_OPS_LINK) else MapFlags.NONE
            found[variable.name] = MapSpec(
                variable.name,
                MapType.STRUCT_OPS,
                key_size=4,
                value_size=struct.size,
                max_entries=1,
                flags=flags,
                value_type_id=type_id,
                contents=data,
                autocreate=not section.startswith("?"),
            )
            places.append((placed.offset, variable.name, struct))
        _fill(elf, index, btf, places, functions, found, file)
    return found


def _fill(
    elf: Elf,
    index: int,
    btf: Btf,
    places: list[tuple[int, str, Struct]],
    functions: Mapping[tuple[int, int], str],
    found: dict[str, MapSpec],
    file: str,
) -> None:
    """The functions of the maps of one section, from its relocations."""
    slots: dict[str, dict[int, str]] = {}
    places.sort(key=lambda row: row[0])
    starts = [start for start, _, _ in places]
    data = elf.sections[index].contents
    for row in elf.relocations.get(index, ()):
        symbol = elf.symbols[row.symbol]
        addend = int.from_bytes(data[row.offset : row.offset + 8], elf.byte_order)
        function = functions.get((symbol.section, symbol.value + addend))
        place = bisect_right(starts, row.offset) - 1
        if place >= 0 and function:
            start, name, struct = places[place]
            if _takes(btf, struct, row.offset - start):
                slots.setdefault(name, {})[row.offset - start] = function
                continue
        problem = "a pointer to no function, or where a struct has none"
        raise ObjectError(problem, file=file, section=elf.sections[index].name, offset=row.offset)
    for name, by_offset in slots.items():
        spec = found[name]
        contents = bytearray(spec.contents or b"")
        for at in by_offset:
            contents[at : at + 8] = bytes(8)  # an addend, the function's place in its section
        found[name] = replace(
            spec, contents=bytes(contents), slots=tuple(sorted(by_offset.items()))
        )


def _takes(btf: Btf, struct: Struct, offset: int) -> bool:
    """Whether a pointer to a function stands at ``offset``."""
    for member in struct.members:
        if member.bit_offset == 8 * offset:
            pointer = btf.resolve(member.type)[1]
            return isinstance(pointer, Ptr) and isinstance(btf.resolve(pointer.type)[1], FuncProto)
    return False
