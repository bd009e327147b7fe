"""Types with other ids: what merging and deduplication do to the rows of a table."""

from __future__ import annotations

from collections.abc import Callable
from typing import assert_never

from beebox.btf.types import (
    Array,
    Datasec,
    DeclTag,
    Enum,
    Float,
    Func,
    FuncProto,
    Fwd,
    Int,
    Member,
    Modifier,
    Param,
    Ptr,
    SectionVar,
    Struct,
    Type,
    Typedef,
    Var,
)


def remapped(row: Type, new_id: Callable[[int], int]) -> Type:
    """``row`` with every type id that it names replaced; 0, ``void``, stays 0."""

    def new(type_id: int) -> int:
        return new_id(type_id) if type_id else 0

    match row:
        case Int() | Float() | Enum() | Fwd():
            return row
        case Ptr():
            return Ptr(new(row.type))
        case Typedef():
            return Typedef(row.name, new(row.type))
        case Modifier():
            return Modifier(row.kind, new(row.type), row.name, row.attribute)
        case Func():
            return Func(row.name, new(row.type), row.linkage)
        case Var():
            return Var(row.name, new(row.type), row.linkage)
        case DeclTag():
            return DeclTag(row.name, new(row.type), row.component, row.attribute)
        case Array():
            return Array(new(row.type), new(row.index_type), row.count)
        case Struct():
            members = tuple(
                Member(m.name, new(m.type), m.bit_offset, m.bitfield_size) for m in row.members
            )
            return Struct(row.name, row.size, members, row.union)
        case FuncProto():
            params = tuple(Param(param.name, new(param.type)) for param in row.params)
            return FuncProto(new(row.type), params)
        case Datasec():
            places = tuple(SectionVar(new(var.type), var.offset, var.size) for var in row.vars)
            return Datasec(row.name, row.size, places)
        case _ as unreachable:
            assert_never(unreachable)
