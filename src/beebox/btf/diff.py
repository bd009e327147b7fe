"""What differs between two type tables, by name: what CO-RE programs and users of headers notice.

Types are compared under their kind and name; ids, order and duplicates do not count. Members of
structs without a name belong to the struct around them, as in C (``a.b`` where the member is
called ``a``). Where a name has several definitions in a table, equal ones are matched first and
the others in their order. Pure declarations (FWD) and types without a name count nowhere else.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from beebox.btf.spelling import Speller
from beebox.btf.types import (
    Array,
    Btf,
    Datasec,
    Enum,
    Float,
    Func,
    Int,
    Modifier,
    Ptr,
    Struct,
    Type,
    Typedef,
    Var,
)
from beebox.errors import BtfError

KindName: TypeAlias = Literal[
    "int", "float", "struct", "union", "enum", "typedef", "func", "var", "datasec"
]

_DEPTH: Final = 16
_FIELDS_PER_TYPE: Final = 64
_FIELDS: Final = 250_000
"""Bounds of members behind names, for structs without a name inside of each other."""


@dataclass(frozen=True, slots=True)
class Field:
    """A member (``path`` from the named struct on) or a variable in a section; bits from 0."""

    path: str
    bit_offset: int
    type: str


@dataclass(frozen=True, slots=True)
class Resized:
    """The size of the type in bytes."""

    before: int
    after: int


@dataclass(frozen=True, slots=True)
class Retyped:
    """What the type, the variable or the function is, in C's words."""

    before: str
    after: str


@dataclass(frozen=True, slots=True)
class FieldAdded:
    """A member that was not there."""

    field: Field


@dataclass(frozen=True, slots=True)
class FieldRemoved:
    """A member that is not there any more."""

    field: Field


@dataclass(frozen=True, slots=True)
class FieldRenamed:
    """A member of the same place and type under another name."""

    before: str
    after: str


@dataclass(frozen=True, slots=True)
class FieldMoved:
    """A member at another place, in bits."""

    path: str
    before: int
    after: int


@dataclass(frozen=True, slots=True)
class FieldRetyped:
    """A member of another type, in C's words."""

    path: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class ValueAdded:
    """An enumerator that was not there."""

    name: str
    value: int


@dataclass(frozen=True, slots=True)
class ValueRemoved:
    """An enumerator that is not there any more."""

    name: str
    value: int


@dataclass(frozen=True, slots=True)
class ValueChanged:
    """An enumerator with another value."""

    name: str
    before: int
    after: int


Change: TypeAlias = (
    Resized
    | Retyped
    | FieldAdded
    | FieldRemoved
    | FieldRenamed
    | FieldMoved
    | FieldRetyped
    | ValueAdded
    | ValueRemoved
    | ValueChanged
)


@dataclass(frozen=True, slots=True)
class Added:
    """A type that was not there."""

    kind: KindName
    name: str


@dataclass(frozen=True, slots=True)
class Removed:
    """A type that is not there any more."""

    kind: KindName
    name: str


@dataclass(frozen=True, slots=True)
class Changed:
    """``changes`` is never empty."""

    kind: KindName
    name: str
    changes: tuple[Change, ...]


Difference: TypeAlias = Added | Removed | Changed


@dataclass(frozen=True, slots=True)
class _Definition:
    """All that counts of one type under a name."""

    size: int
    text: str = ""
    fields: tuple[Field, ...] = ()
    values: tuple[tuple[str, int], ...] = ()


def diff(before: Btf, after: Btf) -> tuple[Difference, ...]:
    """The differences, sorted by kind and name; of split BTF the own types only.

    Raises :exc:`BtfError` for malformed types, or structs that nest too deeply.
    """
    old, new = _Table(before), _Table(after)
    found: list[Difference] = []
    for kind, name in sorted(old.ids.keys() | new.ids.keys()):
        left, right = old.definitions(kind, name), new.definitions(kind, name)
        if not left:
            found.append(Added(kind, name))
        elif not right:
            found.append(Removed(kind, name))
        elif left != right:
            found += _between(kind, name, left, right)
    return tuple(found)


def _between(
    kind: KindName, name: str, left: list[_Definition], right: list[_Definition]
) -> Iterator[Difference]:
    """Differences between two lists of definitions of one name, equal ones left out."""
    gone, come = Counter(left), Counter(right)
    old, new = list((gone - come).elements()), list((come - gone).elements())
    for one, other in zip(old, new, strict=False):
        yield Changed(kind, name, tuple(_changes(one, other)))
    for _ in old[len(new) :]:
        yield Removed(kind, name)
    for _ in new[len(old) :]:
        yield Added(kind, name)


def _changes(old: _Definition, new: _Definition) -> Iterator[Change]:
    if old.size != new.size:
        yield Resized(old.size, new.size)
    if old.text != new.text:
        yield Retyped(old.text, new.text)
    yield from _field_changes(old.fields, new.fields)
    left, right = dict(old.values), dict(new.values)
    for name, value in left.items():
        if name not in right:
            yield ValueRemoved(name, value)
        elif right[name] != value:
            yield ValueChanged(name, value, right[name])
    for name, value in right.items():
        if name not in left:
            yield ValueAdded(name, value)


def _field_changes(old: tuple[Field, ...], new: tuple[Field, ...]) -> Iterator[Change]:
    left, right = _by_path(old), _by_path(new)
    come = {
        (field.bit_offset, field.type): (path, field)
        for path, field in right.items()
        if path not in left
    }
    renamed = set()
    for path, field in left.items():
        other = right.get(path)
        if other is None:
            found = come.pop((field.bit_offset, field.type), None)
            if found is None:
                yield FieldRemoved(field)
            else:
                renamed.add(found[0])
                yield FieldRenamed(field.path, found[1].path)
            continue
        if field.bit_offset != other.bit_offset:
            yield FieldMoved(field.path, field.bit_offset, other.bit_offset)
        if field.type != other.type:
            yield FieldRetyped(field.path, field.type, other.type)
    for path, field in right.items():
        if path not in left and path not in renamed:
            yield FieldAdded(field)


def _by_path(fields: tuple[Field, ...]) -> dict[tuple[str, int], Field]:
    """By path and, for those that a path names several times (padding), by their order."""
    seen: Counter[str] = Counter()
    found = {}
    for field in fields:
        found[field.path, seen[field.path]] = field
        seen[field.path] += 1
    return found


class _Table:
    """The named types of one side."""

    def __init__(self, btf: Btf) -> None:
        self._btf = btf
        self._speller = Speller(btf)
        self._left = _FIELDS + _FIELDS_PER_TYPE * len(btf)
        self.ids: dict[tuple[KindName, str], list[int]] = {}
        for type_id, row in btf.items():
            kind = _kind(row)
            if kind is not None:
                name = getattr(row, "name", "")
                if name:
                    self.ids.setdefault((kind, name), []).append(type_id)

    def definitions(self, kind: KindName, name: str) -> list[_Definition]:
        """What the name is under that kind, each once."""
        ids = self.ids.get((kind, name), ())
        return list(dict.fromkeys(self._definition(type_id) for type_id in ids))

    def _definition(self, type_id: int) -> _Definition:
        row = self._btf.type(type_id)
        match row:
            case Struct():
                return _Definition(row.size, fields=tuple(self._fields(row, "", 0, _DEPTH)))
            case Enum():
                return _Definition(row.size, "signed" if row.signed else "unsigned", (), row.values)
            case Int():
                words = [word for word in ("signed", "char", "boolean") if getattr(row, word)]
                place = f"{row.bits} bits at {row.offset}"
                return _Definition(row.size, " ".join([*words, place]))
            case Float():
                return _Definition(row.size)
            case Typedef():
                return self._typedef(row)
            case Func():
                prototype = self._speller.prototype(row.name, row.type)
                return _Definition(0, f"{row.linkage.name.lower()} {prototype}")
            case Var():
                return _Definition(0, f"{row.linkage.name.lower()} {self._speller.text(row.type)}")
            case Datasec():
                fields = [
                    Field(self._speller.text(var.type), 8 * var.offset, f"{var.size} bytes")
                    for var in row.vars
                ]
                self._spend(len(fields))
                return _Definition(row.size, fields=tuple(fields))
            case _:
                raise BtfError("a type of no name", type_id=type_id)

    def _typedef(self, row: Typedef) -> _Definition:
        """A typedef of a struct or enum without a name is that type's only name."""
        text = self._speller.text(row.type)
        target = self._btf.type(row.type)
        match target:
            case Struct(name=""):
                return _Definition(target.size, text, tuple(self._fields(target, "", 0, _DEPTH)))
            case Enum(name=""):
                return _Definition(target.size, text, (), target.values)
            case _:
                return _Definition(0, text)

    def _fields(self, row: Struct, path: str, offset: int, depth: int) -> Iterator[Field]:
        self._spend(1 + len(row.members))
        for member in row.members:
            place = offset + member.bit_offset
            name = f"{path}.{member.name}" if path and member.name else path + member.name
            text = self._speller.text(member.type)
            inner, joint = self._nameless(member.type)
            if inner is None or member.name:
                bits = f" : {member.bitfield_size}" if member.bitfield_size else ""
                yield Field(name, place, text + bits)
            if inner is not None:
                if depth == 0:
                    raise BtfError("structs without a name nest too deeply")
                yield from self._fields(inner, name + joint, place if not joint else 0, depth - 1)

    def _nameless(self, type_id: int) -> tuple[Struct | None, str]:
        """The struct without a name that a member is made of, and what leads from it there."""
        joint = ""
        for _ in range(_DEPTH):
            row = self._btf.type(type_id)
            match row:
                case Struct(name=""):
                    return row, joint
                case Modifier():
                    type_id = row.type
                case Array():
                    type_id, joint = row.type, joint + "[]"
                case Ptr():
                    type_id, joint = row.type, joint + "*"
                case _:
                    return None, ""
        return None, ""

    def _spend(self, count: int) -> None:
        self._left -= count
        if self._left < 0:
            raise BtfError("structs without a name repeat too often inside of each other")


def _kind(row: Type) -> KindName | None:
    match row:
        case Int():
            return "int"
        case Float():
            return "float"
        case Struct():
            return "union" if row.union else "struct"
        case Enum():
            return "enum"
        case Typedef():
            return "typedef"
        case Func():
            return "func"
        case Var():
            return "var"
        case Datasec():
            return "datasec"
        case _:
            return None
