"""Every kind with other ids: nothing but references changes."""

from __future__ import annotations

import pytest

from beebox.btf.decode import references
from beebox.btf.remap import remapped
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

ROWS: list[Type] = [
    Int("int", 4, 32, signed=True),
    Float("double", 8),
    Ptr(3),
    Array(3, 4, 5),
    Struct("s", 8, (Member("a", 3, 0), Member("", 4, 32, 3)), union=True),
    Enum("e", 4, (("A", 1),)),
    Fwd("f"),
    Typedef("t", 3),
    Modifier("type_tag", 3, "user"),
    Func("f", 3),
    FuncProto(0, (Param("a", 3), Param("", 0))),
    Var("v", 3),
    Datasec(".data", 8, (SectionVar(3, 0, 4), SectionVar(4, 4, 4))),
    DeclTag("tag", 3, 1),
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: type(row).__name__)
def test_references_change_and_come_back(row: Type) -> None:
    moved = remapped(row, lambda type_id: type_id + 10)
    assert references(moved) == tuple(at + 10 if at else 0 for at in references(row))
    assert remapped(moved, lambda type_id: type_id - 10) == row
