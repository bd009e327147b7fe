"""In which order C must see the definitions of a type table.

A struct embeds only what is defined before it; through a pointer a forward declaration is enough,
unless the pointer leads to an anonymous struct, which is written in place and so brings the
needs of its own members along.
"""

from __future__ import annotations

from functools import cached_property
from typing import Final

from beebox.btf.c.layout import Rows
from beebox.btf.decode import references
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
    Modifier,
    Ptr,
    Struct,
    Typedef,
    Var,
)
from beebox.btf.wire import Kind
from beebox.errors import BtfError

MOST_NESTED: Final = 96
"""Levels of embedding, declarators and prototypes; clang itself stops at 256 brackets."""


class Budget:
    """What one output may cost: hostile types share parts, and their text grows exponentially."""

    def __init__(self, types: int) -> None:
        self._steps = (1 << 17) + 64 * types
        self._chars = (1 << 24) + 64 * types

    def step(self, depth: int, type_id: int) -> None:
        """One type looked at, ``depth`` levels below its definition."""
        self._steps -= 1
        if depth > MOST_NESTED:
            raise BtfError("types nest too deeply for C", type_id=type_id)
        if self._steps < 0:
            raise BtfError("types that take too long to write as C", type_id=type_id)

    def text(self, text: str, type_id: int) -> str:
        """``text``, paid for."""
        self._chars -= len(text)
        if self._chars < 0:
            raise BtfError("types whose C text is too long", type_id=type_id)
        return text


class Order:
    """Hands out definitions so that each comes after those it embeds."""

    def __init__(self, rows: Rows, budget: Budget) -> None:
        self._rows = rows
        self._budget = budget
        self._done = {0}
        self._open: set[int] = set()
        self._queue: list[int] = []

    @cached_property
    def _used(self) -> set[int]:
        """What other types refer to; functions refer to prototypes alone."""
        rows = self._rows
        used: set[int] = set()
        table: Btf | None = rows.btf
        while table is not None:
            for type_id in table.of_kind(*(kind for kind in Kind if kind is not Kind.FUNC)):
                row = rows[type_id]
                if row is not None:
                    used.update(references(row))
            table = table.base
        return used

    def definitions(self, root: int) -> list[int]:
        """Named types (and enums that nothing refers to) that ``root`` needs, each given once."""
        self._queue = []
        self._visit(root, through_pointer=False, depth=0)
        return self._queue

    def _visit(self, type_id: int, *, through_pointer: bool, depth: int) -> bool:
        """Whether the definition must come first; False where a forward declaration will do."""
        self._budget.step(depth, type_id)
        if type_id in self._done:
            return True
        row = self._rows[type_id]
        match row:
            case Ptr():
                needed = self._visit(row.type, through_pointer=True, depth=depth + 1)
                self._done.add(type_id)
                return needed
            case Struct():
                return self._struct(type_id, row, through_pointer=through_pointer, depth=depth)
            case Modifier():
                return self._visit(row.type, through_pointer=through_pointer, depth=depth + 1)
            case Typedef():
                needed = self._visit(row.type, through_pointer=through_pointer, depth=depth + 1)
                if through_pointer and not needed:
                    return False
                self._queue.append(type_id)
                self._done.add(type_id)
                return True
            case Array():
                return self._visit(row.type, through_pointer=False, depth=depth + 1)
            case FuncProto():
                parts = (row.type, *(param.type for param in row.params))
                needs = [
                    self._visit(part, through_pointer=through_pointer, depth=depth + 1)
                    for part in parts
                ]
                return any(needs)
            case Enum() | Fwd():
                if row.name or (depth == 0 and type_id not in self._used):
                    self._queue.append(type_id)
                self._done.add(type_id)
                return True
            case None | Int() | Float() | Func() | Var() | Datasec() | DeclTag():
                self._done.add(type_id)
                return False

    def _struct(self, type_id: int, row: Struct, *, through_pointer: bool, depth: int) -> bool:
        if through_pointer and row.name:
            return False
        if type_id in self._open:
            raise BtfError("a type that contains itself", type_id=type_id)
        self._open.add(type_id)
        for member in row.members:
            self._visit(member.type, through_pointer=False, depth=depth + 1)
        self._open.discard(type_id)
        if row.name:
            self._queue.append(type_id)
        self._done.add(type_id)
        return True
