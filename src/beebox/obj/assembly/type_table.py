"""The types of an assembly text under construction: numbered, named, laid out.

Ids are final from the first use of a name on. A struct that is named and never defined is a
forward declaration, as in C; derived types are one row however often they are written.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from beebox.btf.types import (
    Array,
    Btf,
    DeclTag,
    Func,
    Fwd,
    Member,
    Modifier,
    Struct,
    Type,
    Typedef,
)
from beebox.errors import BtfError
from beebox.isa.tokens import Statement, Token
from beebox.obj.assembly.layout import MAX_NESTING, Layout, Measures
from beebox.obj.assembly.words import MOST_U32, STANDARD


@dataclass(frozen=True, slots=True)
class Place:
    """Where a name was used, for errors found later."""

    line: Statement
    token: Token


@dataclass(slots=True)
class Pending:
    """A struct whose members have no offsets yet: None is for C's rules to say."""

    place: Place
    name: str
    union: bool
    packed: bool
    size: int | None
    members: list[tuple[str, int, int | None, int]]
    busy: bool = False


@dataclass(frozen=True, slots=True)
class Notes:
    """What stands behind an ``@`` after a declarator."""

    numbers: dict[str, int] = field(default_factory=dict)
    words: frozenset[str] = frozenset()
    tags: tuple[tuple[str, bool], ...] = ()


@dataclass(frozen=True, slots=True)
class Key:
    """A type's name: the space of ``struct``, ``union``, ``enum`` or "", and which one it is."""

    space: str
    name: str
    number: int
    token: Token

    @property
    def identity(self) -> tuple[str, str, int]:
        """What two keys of one type have in common."""
        return self.space, self.name, self.number


class TypeTable:
    """The rows so far, those of names that nothing declares yet among them."""

    def __init__(self) -> None:
        self._rows: list[Type | None] = []
        self._ids: dict[Type, int] = {}
        self._named: dict[tuple[str, str, int], int] = {}
        self._uses: dict[int, tuple[Key, Statement]] = {}  # of names that are not declared yet
        self._pending: dict[int, Pending] = {}
        self._depth = 0
        self.measures = Measures(self.row)

    def __len__(self) -> int:
        return len(self._rows)

    def add(self, row: Type) -> int:
        """The id of ``row``, which is there once."""
        known = self._ids.get(row)
        if known is None:
            known = self._ids[row] = self.new(row)
        return known

    def new(self, row: Type | None) -> int:
        """The id of one more row; None is for what is still to come."""
        self._rows.append(row)
        return len(self._rows)

    def row(self, type_id: int) -> Type | None:
        """The type as far as it is known; lays out the struct when its size is asked for."""
        if type_id in self._pending:
            self._lay_out(type_id)
        return self._rows[type_id - 1] if type_id else None

    def size(self, type_id: int, place: Place) -> int:
        """The bytes of a value of this type; refused at ``place`` where it has none."""
        try:
            return self.measures.size(type_id)
        except BtfError as error:
            self._declared(type_id)
            place.line.fail(str(error).removeprefix("BTF: "), token=place.token)

    def tag(self, type_id: int, notes: Notes, component: int = -1) -> None:
        """Keep the ``@tag``s of a declaration."""
        for name, attribute in notes.tags:
            self.add(DeclTag(name, type_id, component, attribute))

    def build(self) -> Btf | None:
        """All types, when there are any. Raises :exc:`AssemblyError` for undeclared names."""
        while self._pending:  # one that is laid out lays out those that it holds
            self._lay_out(next(iter(self._pending)))
        for type_id, (key, _) in self._uses.items():
            self._declared(type_id)
            self._rows[type_id - 1] = Fwd(key.name, union=key.space == "union")
        rows = tuple(row for row in self._rows if row is not None)
        return Btf(rows) if rows else None

    def is_declared(self, name: str) -> bool:
        """Whether a typedef or an integer has this name."""
        return ("", name, 1) in self._named

    def define(self, type_id: int, row: Type | Pending) -> None:
        """Give the row of an id that is taken already; a struct is laid out later."""
        if isinstance(row, Pending):
            self._pending[type_id] = row
        else:
            self._rows[type_id - 1] = row

    def declare(self, key: Key, row: Type | None, line: Statement) -> int:
        """The id of a type that the text declares here. Raises :exc:`AssemblyError` for a second.

        ``row`` is None where :meth:`define` gives it later.
        """
        if not key.name and not key.number:
            return self.new(row)
        known = self._named.get(key.identity)
        if known is not None and known not in self._uses:
            hint = f"a second one is `{key.name}@2`"
            line.fail(f"a second type `{key.name}`", token=key.token, hint=hint)
        if known is None:
            known = self._named[key.identity] = self.new(row)
        self._uses.pop(known, None)
        self._rows[known - 1] = row
        return known

    def reference(self, key: Key, line: Statement) -> int:
        """The id of a type by its name, declared or not."""
        known = self._named.get(key.identity)
        if known is None:
            standard = STANDARD.get(key.name)
            if not key.space and key.number == 1 and standard is not None:
                return self.add(standard)
            known = self._named[key.identity] = self.new(None)
            self._uses[known] = (key, line)
        return known

    def _declared(self, type_id: int) -> None:
        """Refuse a name that nothing declares, of a kind that has no forward declaration."""
        for _ in range(MAX_NESTING):
            if type_id in self._uses:
                key, line = self._uses[type_id]
                if key.space in ("", "enum"):
                    line.fail(f"no type `{f'{key.space} {key.name}'.strip()}`", token=key.token)
            match self._rows[type_id - 1] if type_id else None:
                case Array(target) | Typedef(_, target) | Modifier(_, target):
                    type_id = target
                case _:
                    return

    def _lay_out(self, type_id: int) -> None:
        pending = self._pending[type_id]
        if pending.busy:
            place = pending.place
            place.line.fail(f"struct `{pending.name}` holds itself", token=place.token)
        if self._depth > MAX_NESTING:
            pending.place.line.fail("structs nest too deeply", token=pending.place.token)
        pending.busy = True
        self._depth += 1
        layout = Layout(self.measures, pending.union, pending.packed)
        members: list[Member] = []
        sized = True
        for name, member_type, said, width in pending.members:
            try:
                at = layout.next(member_type, width) if said is None else said
                members.append(Member(name, member_type, at, width))
                if sized:
                    layout.place(members[-1])
            except BtfError as error:
                sized = False
                self._declared(member_type)
                if said is None:
                    problem = f"member `{name}`: {str(error).removeprefix('BTF: ')}"
                    pending.place.line.fail(problem, token=pending.place.token)
        size = pending.size if pending.size is not None else layout.size
        if size > MOST_U32 or any(row.bit_offset > MOST_U32 for row in members):
            pending.place.line.fail("a struct of more than 4 GiB", token=pending.place.token)
        del self._pending[type_id]
        self._depth -= 1
        self._rows[type_id - 1] = Struct(pending.name, size, tuple(members), union=pending.union)

    def function_name(self, type_id: int) -> str:
        """The name of a FUNC."""
        row = self.row(type_id)
        return row.name if isinstance(row, Func) else ""
