"""Types with other ids: what merging and deduplication do to the rows of a table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
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
    Modifier,
    Ptr,
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
        case Typedef() | Modifier() | Func() | Var() | DeclTag():
            return replace(row, type=new(row.type))
        case Array():
            return Array(new(row.type), new(row.index_type), row.count)
        case Struct():
            members = tuple(replace(member, type=new(member.type)) for member in row.members)
            return replace(row, members=members)
        case FuncProto():
            params = tuple(replace(param, type=new(param.type)) for param in row.params)
            return FuncProto(new(row.type), params)
        case Datasec():
            placed = tuple(replace(var, type=new(var.type)) for var in row.vars)
            return replace(row, vars=placed)
        case _ as unreachable:
            assert_never(unreachable)
