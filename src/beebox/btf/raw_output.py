"""A type table row by row, as ``bpftool btf dump`` writes it: text lines and JSON objects."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final, TypeAlias, assert_never

from beebox.btf.types import (
    Array,
    Btf,
    Datasec,
    DeclTag,
    Enum,
    Float,
    Func,
    FuncProto,
    Fwd,
    Int,
    Linkage,
    Modifier,
    Ptr,
    Struct,
    Type,
    Typedef,
    Var,
    kind_of,
    name_of,
)

Fields: TypeAlias = dict[str, Any]

_LINKAGES: Final = {Linkage.STATIC: "static", Linkage.GLOBAL: "global", Linkage.EXTERN: "extern"}
_PARTS: Final = ("members", "values", "params", "vars")
"""Where a row's JSON keeps its parts, each of which is a line of its own in text."""


def rows(btf: Btf, ids: Iterable[int] | None = None) -> Iterator[Fields]:
    """Every own type (or those named by ``ids``) with bpftool's JSON keys."""
    for type_id in _own(btf) if ids is None else ids:
        row = btf.type(type_id)
        if row is not None:
            yield {
                "id": type_id,
                "kind": kind_of(row).name,
                "name": _shown(name_of(row)),
            } | _fields(row)


def text(btf: Btf, ids: Iterable[int] | None = None) -> Iterator[str]:
    """The same as text: a line for each type and, indented, for each of its parts."""
    for type_id in _own(btf) if ids is None else ids:
        row = btf.type(type_id)
        if row is not None:
            head = f"[{type_id}] {kind_of(row).name} {_quoted(name_of(row))}"
            yield head + _values(row, _fields(row), btf)


def _own(btf: Btf) -> range:
    return range(btf.first_id, len(btf) + 1)


def _values(row: Type, fields: Fields, btf: Btf) -> str:
    out: list[str] = []
    for key, value in fields.items():
        if key not in _PARTS:
            comma = "," if isinstance(row, Var) and out else ""
            out.append(f"{comma} {key}={value}")
            continue
        for part in value:
            name = f"{_quoted(part['name'], seen=True)} " if "name" in part else ""
            words = " ".join(f"{k}={_number(row, v)}" for k, v in part.items() if k != "name")
            out.append(f"\n\t{name}{words}{_variable(row, part, btf)}")
    return "".join(out) + "\n"


def _number(row: Type, value: int) -> str:
    if isinstance(row, Enum) and row.is64:
        return f"{value}LL" if row.signed else f"{value}ULL"
    return str(value)


def _variable(row: Type, part: Fields, btf: Btf) -> str:
    """What an element of a section is called."""
    if not isinstance(row, Datasec):
        return ""
    variable = btf.type(part["type_id"])
    if variable is None:
        return ""
    return f" ({kind_of(variable).name} {_quoted(name_of(variable))})"


def _shown(name: str) -> str:
    return name or "(anon)"


def _quoted(name: str, *, seen: bool = False) -> str:
    """A name for a terminal: on one line, whatever an object calls its types."""
    name = name if seen else _shown(name)
    return f"'{name}'" if name.isprintable() else f"'{name.encode('unicode_escape').decode()}'"


def _fields(row: Type) -> Fields:
    match row:
        case Int():
            return {
                "size": row.size,
                "bits_offset": row.offset,
                "nr_bits": row.bits,
                "encoding": _encoding(row),
            }
        case Float():
            return {"size": row.size}
        case Ptr() | Typedef() | Modifier():
            return {"type_id": row.type}
        case Array():
            return {
                "type_id": row.type,
                "index_type_id": row.index_type,
                "nr_elems": row.count,
            }
        case Struct():
            return {"size": row.size, "vlen": len(row.members), "members": _members(row)}
        case Enum():
            return {
                "encoding": "SIGNED" if row.signed else "UNSIGNED",
                "size": row.size,
                "vlen": len(row.values),
                "values": [{"name": _shown(name), "val": value} for name, value in row.values],
            }
        case Fwd():
            return {"fwd_kind": "union" if row.union else "struct"}
        case Func() | Var():
            return {"type_id": row.type, "linkage": _LINKAGES[row.linkage]}
        case FuncProto():
            return {
                "ret_type_id": row.type,
                "vlen": len(row.params),
                "params": [{"name": _shown(p.name), "type_id": p.type} for p in row.params],
            }
        case Datasec():
            return {
                "size": row.size,
                "vlen": len(row.vars),
                "vars": [{"type_id": v.type, "offset": v.offset, "size": v.size} for v in row.vars],
            }
        case DeclTag():
            return {"type_id": row.type, "component_idx": row.component}
        case _ as unreachable:
            assert_never(unreachable)


def _encoding(row: Int) -> str:
    flags = [
        name
        for name, there in (("SIGNED", row.signed), ("CHAR", row.char), ("BOOL", row.boolean))
        if there
    ]
    return "(none)" if not flags else flags[0] if len(flags) == 1 else "UNKN"


def _members(row: Struct) -> list[Fields]:
    return [
        {"name": _shown(m.name), "type_id": m.type, "bits_offset": m.bit_offset}
        | ({"bitfield_size": m.bitfield_size} if m.bitfield_size else {})
        for m in row.members
    ]
