"""DATASEC rows that loaders act on: externs (``.ksyms``, ``.kconfig``) and struct_ops maps.

What BTF already says stays; what a spec has and BTF has not is added, and what a spec no longer
has leaves its section. Source: clang's output for ``__ksym``, ``__kconfig`` and SEC(".struct_ops").
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from beebox.btf.builder import Builder
from beebox.btf.types import Btf, Datasec, Func, Int, Linkage, SectionVar, Var
from beebox.errors import BtfError, ObjectError
from beebox.obj.maps import section_id
from beebox.obj.model import ExternKind, ExternSpec, MapSpec
from beebox.tables.map_types import MapFlags, MapType

STRUCT_OPS: Final = ".struct_ops"
STRUCT_OPS_LINK: Final = ".struct_ops.link"
STRUCT_OPS_SECTIONS: Final = (
    STRUCT_OPS,
    STRUCT_OPS_LINK,
    f"?{STRUCT_OPS}",
    f"?{STRUCT_OPS_LINK}",
)
"""Behind a ``?``: maps that loaders make only when asked for."""
ARENA: Final = ".addr_space.1"
"""Where clang puts variables of address space 1."""

TAKEN_OUT: Final = Int("unsigned char", 1, 8)
"""Stands for a DATASEC that is not there any more: without it, other types would have new ids."""

_EXTERNS: Final = {
    ExternKind.KCONFIG: ".kconfig",
    ExternKind.VARIABLE: ".ksyms",
    ExternKind.FUNCTION: ".ksyms",
}
_ALIGN: Final = 8


def value_section(spec: MapSpec) -> str:
    """The section that holds a map's first value; "" for maps without one."""
    if spec.contents is None:
        return ""
    if spec.type is MapType.ARENA:
        return ARENA
    if spec.type is MapType.STRUCT_OPS:
        section = STRUCT_OPS_LINK if spec.flags & MapFlags.LINK else STRUCT_OPS
        return section if spec.autocreate else f"?{section}"
    return spec.name


def describe_externs(btf: Btf | None, externs: Mapping[str, ExternSpec]) -> Btf | None:
    """``btf`` with every extern in its section.

    Raises :exc:`ObjectError` for a function without a type.
    """
    for section in dict.fromkeys(_EXTERNS.values()):
        wanted = {name: row for name, row in externs.items() if _EXTERNS[row.kind] == section}
        known = _members(btf, section)
        if wanted.keys() == known.keys():
            continue
        builder = Builder(btf)
        rows = [known.get(name) or _extern(builder, row) for name, row in wanted.items()]
        btf = _put(builder, btf, section, rows, 0)
    return btf


def _extern(builder: Builder, spec: ExternSpec) -> SectionVar:
    if spec.kind is not ExternKind.FUNCTION:
        row = builder.add(Var(spec.name, spec.type_id, Linkage.EXTERN))
        return SectionVar(row, 0, _size(builder, spec))
    if not spec.type_id:
        raise ObjectError(f"the extern function {spec.name!r} has no type")
    return SectionVar(spec.type_id, 0, 0)


def _size(builder: Builder, spec: ExternSpec) -> int:
    try:
        return builder.build().size_of(spec.type_id)
    except BtfError:
        return 1  # void: clang's size of it


def describe_struct_ops(btf: Btf | None, maps: Mapping[str, MapSpec]) -> Btf | None:
    """``btf`` with every struct_ops map in its section, where its struct begins."""
    for section in STRUCT_OPS_SECTIONS:
        wanted = {name: row for name, row in maps.items() if value_section(row) == section}
        known = _members(btf, section)
        if wanted.keys() == known.keys():
            continue
        builder = Builder(btf)
        rows: list[SectionVar] = []
        at = 0
        for name, spec in wanted.items():
            old = known.get(name)
            variable = old.type if old else builder.add(Var(name, spec.value_type_id))
            size = len(spec.contents or b"")
            rows.append(SectionVar(variable, at, size))
            at += size + -size % _ALIGN
        btf = _put(builder, btf, section, rows, at)
    return btf


def _put(
    builder: Builder, btf: Btf | None, section: str, rows: Iterable[SectionVar], size: int
) -> Btf:
    old = section_id(btf, section) if btf else 0
    rows = tuple(rows)
    if rows:
        builder.section(section, size, rows)
    elif old:
        builder.replace(old, TAKEN_OUT)
    return builder.build()


def _members(btf: Btf | None, section: str) -> dict[str, SectionVar]:
    """The variables and functions of a DATASEC, by name."""
    row = btf.type(section_id(btf, section)) if btf else None
    found: dict[str, SectionVar] = {}
    for placed in row.vars if btf and isinstance(row, Datasec) else ():
        member = btf.type(placed.type) if btf else None
        if isinstance(member, Var | Func):
            found[member.name] = placed
    return found
