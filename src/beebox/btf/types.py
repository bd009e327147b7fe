"""The BTF type graph: one class per kind, and :class:`Btf`, an immutable table of them.

Source: the kernel's Documentation/bpf/btf.rst. Type id 0 is ``void`` and has no row.
"""

from __future__ import annotations

import builtins
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from functools import cached_property
from typing import Final, Protocol, TypeAlias, assert_never, runtime_checkable

from beebox.btf.strings import Strings
from beebox.btf.wire import Kind
from beebox.errors import BtfError

MAX_DEPTH: Final = 256
"""Typedefs and modifiers on the way to a type; the kernel refuses BTF deeper than 32."""


class Linkage(IntEnum):
    """Linkage of functions and variables."""

    STATIC = 0
    GLOBAL = 1
    EXTERN = 2


@dataclass(frozen=True, slots=True)
class Int:
    name: str
    size: int
    bits: int
    signed: bool = False
    char: bool = False
    boolean: bool = False
    offset: int = 0


@dataclass(frozen=True, slots=True)
class Float:
    name: str
    size: int


@dataclass(frozen=True, slots=True)
class Ptr:
    type: int


@dataclass(frozen=True, slots=True)
class Array:
    type: int
    index_type: int
    count: int


@dataclass(frozen=True, slots=True)
class Member:
    name: str
    type: int
    bit_offset: int
    bitfield_size: int = 0


@dataclass(frozen=True, slots=True)
class Struct:
    name: str
    size: int
    members: tuple[Member, ...]
    union: bool = False


@dataclass(frozen=True, slots=True)
class Enum:
    """ENUM and, with ``size`` 8 or values out of 32 bits, ENUM64."""

    name: str
    size: int
    values: tuple[tuple[str, int], ...]
    signed: bool = False
    is64: bool = False


@dataclass(frozen=True, slots=True)
class Fwd:
    name: str
    union: bool = False


@dataclass(frozen=True, slots=True)
class Typedef:
    name: str
    type: int


@dataclass(frozen=True, slots=True)
class Modifier:
    """``kind`` is "volatile", "const", "restrict" or "type_tag" (which alone has a ``name``).

    ``attribute``: a type tag that stands for a C attribute rather than a BTF tag (kind_flag).
    """

    kind: str
    type: int
    name: str = ""
    attribute: bool = False


@dataclass(frozen=True, slots=True)
class Func:
    name: str
    type: int
    linkage: Linkage = Linkage.GLOBAL


@dataclass(frozen=True, slots=True)
class Param:
    name: str
    type: int


@dataclass(frozen=True, slots=True)
class FuncProto:
    type: int
    params: tuple[Param, ...]


@dataclass(frozen=True, slots=True)
class Var:
    name: str
    type: int
    linkage: Linkage = Linkage.GLOBAL


@dataclass(frozen=True, slots=True)
class SectionVar:
    type: int
    offset: int
    size: int


@dataclass(frozen=True, slots=True)
class Datasec:
    name: str
    size: int
    vars: tuple[SectionVar, ...]


@dataclass(frozen=True, slots=True)
class DeclTag:
    name: str
    type: int
    component: int = -1
    attribute: bool = False


Type: TypeAlias = (
    Int
    | Float
    | Ptr
    | Array
    | Struct
    | Enum
    | Fwd
    | Typedef
    | Modifier
    | Func
    | FuncProto
    | Var
    | Datasec
    | DeclTag
)


_MODIFIER_KINDS: Final = {
    "volatile": Kind.VOLATILE,
    "const": Kind.CONST,
    "restrict": Kind.RESTRICT,
    "type_tag": Kind.TYPE_TAG,
}


def kind_of(row: Type) -> Kind:
    """The ``BTF_KIND_*`` of a row. Raises :exc:`BtfError` for a modifier that BTF does not know."""
    match row:
        case Int():
            return Kind.INT
        case Float():
            return Kind.FLOAT
        case Ptr():
            return Kind.PTR
        case Array():
            return Kind.ARRAY
        case Struct():
            return Kind.UNION if row.union else Kind.STRUCT
        case Enum():
            return Kind.ENUM64 if row.is64 else Kind.ENUM
        case Fwd():
            return Kind.FWD
        case Typedef():
            return Kind.TYPEDEF
        case Modifier():
            if row.kind not in _MODIFIER_KINDS:
                raise BtfError(f"unknown modifier {row.kind!r}")
            return _MODIFIER_KINDS[row.kind]
        case Func():
            return Kind.FUNC
        case FuncProto():
            return Kind.FUNC_PROTO
        case Var():
            return Kind.VAR
        case Datasec():
            return Kind.DATASEC
        case DeclTag():
            return Kind.DECL_TAG
        case _ as unreachable:
            assert_never(unreachable)


def name_of(row: Type) -> str:
    """The name of a row; empty for kinds that have none."""
    return "" if isinstance(row, Ptr | Array | FuncProto) else row.name


_LONG: Final = ("long", "long int", "unsigned long", "long unsigned int", "unsigned long int")
_FIRST_TYPES: Final = 64


@runtime_checkable
class SearchableTypes(Protocol):
    """A sequence of types that finds names without decoding all of them; places count from 0."""

    def at_name(self, name: str) -> list[int]:
        """Where the types called ``name`` are."""

    def at_prefix(self, prefix: str) -> list[int]:
        """Where the types are whose names begin with ``prefix``."""

    def at_kinds(self, kinds: frozenset[int]) -> list[int]:
        """Where the types of these ``BTF_KIND_*`` are."""


class _Names:
    """The same for a sequence whose rows are all there."""

    def __init__(self, types: Sequence[Type]) -> None:
        self._types = types
        self._places: dict[str, list[int]] = {}
        for at, row in enumerate(types):
            name = name_of(row)
            if name:
                self._places.setdefault(name, []).append(at)

    def at_name(self, name: str) -> list[int]:
        return self._places.get(name, [])

    def at_prefix(self, prefix: str) -> list[int]:
        return sorted(
            at for name, places in self._places.items() if name.startswith(prefix) for at in places
        )

    def at_kinds(self, kinds: frozenset[int]) -> list[int]:
        return [at for at, row in enumerate(self._types) if kind_of(row) in kinds]


@dataclass(frozen=True)
class Btf:
    """An immutable type table: ``types[0]`` has the id :attr:`first_id`, which is 1 without base.

    With a ``base`` this is split BTF, as modules have: its ids continue behind the base's, which
    its types may refer to. ``types`` may be a tuple or decode its rows when they are asked for.
    ``strings`` is what the table was read with; its texts are not part of the value.
    """

    types: Sequence[Type] = ()
    base: Btf | None = None
    strings: Strings | None = field(default=None, compare=False, repr=False)

    def __len__(self) -> int:
        """The highest type id: the number of types, the base's included."""
        return self.first_id - 1 + len(self.types)

    @cached_property
    def first_id(self) -> int:
        """The id of the first of the own types."""
        return 1 if self.base is None else len(self.base) + 1

    def items(self) -> Iterator[tuple[int, Type]]:
        """Every own ``(type id, type)``; the base's are ``base.items()``."""
        return enumerate(self.types, self.first_id)

    def type(self, type_id: int) -> Type | None:
        """The type with this id; None is ``void``. Raises :exc:`BtfError` for ids out of range."""
        if type_id == 0:
            return None
        first = self.first_id
        if type_id >= first:
            if type_id - first < len(self.types):
                return self.types[type_id - first]
        elif self.base is not None and type_id > 0:
            return self.base.type(type_id)
        raise BtfError("no such type", type_id=type_id)

    @cached_property
    def _search(self) -> SearchableTypes:
        return self.types if isinstance(self.types, SearchableTypes) else _Names(self.types)

    def named(self, name: str) -> tuple[int, ...]:
        """The ids of all types called ``name``, in order, the base's included."""
        if not name:
            return ()
        first = self.first_id
        own = tuple(first + at for at in self._search.at_name(name))
        return own if self.base is None else self.base.named(name) + own

    @cached_property
    def decl_tags(self) -> Mapping[tuple[int, int], tuple[str, ...]]:
        """The DECL_TAGs by what they are on: ``(type, component)``, -1 for the type itself."""
        found: dict[tuple[int, int], list[str]] = {}
        for type_id in self.of_kind(Kind.DECL_TAG):
            row = self.type(type_id)
            if isinstance(row, DeclTag):
                found.setdefault((row.type, row.component), []).append(row.name)
        return {owner: tuple(names) for owner, names in found.items()}

    def kinded(self, name: str, *kinds: builtins.type[Type]) -> tuple[int, ...]:
        """The ids of the types called ``name`` that are of these classes: ``kinded(n, Func)``."""
        return tuple(found for found in self.named(name) if isinstance(self.type(found), kinds))

    def prefixed(self, prefix: str) -> tuple[int, ...]:
        """The ids of all types whose names begin with ``prefix``, in order, the base's included."""
        first = self.first_id
        own = tuple(first + at for at in self._search.at_prefix(prefix)) if prefix else ()
        return own if self.base is None else self.base.prefixed(prefix) + own

    def of_kind(self, *kinds: Kind) -> tuple[int, ...]:
        """The ids of the own types of these ``BTF_KIND_*``, in order."""
        first = self.first_id
        return tuple(first + at for at in self._search.at_kinds(frozenset(kinds)))

    def resolve(self, type_id: int) -> tuple[int, Type | None]:
        """Skip typedefs and modifiers: ``(id, type)`` of what is behind them."""
        for _ in range(MAX_DEPTH):
            row = self.type(type_id)
            if not isinstance(row, Typedef | Modifier):
                return type_id, row
            type_id = row.type
        raise BtfError("typedefs nest too deeply or form a loop", type_id=type_id)

    @cached_property
    def pointer_size(self) -> int:
        """Bytes of a pointer where the types come from: those of its ``long``, 8 without one."""
        if self.base is not None:
            return self.base.pointer_size
        for row in self.types[:_FIRST_TYPES]:  # where compilers and kernels have theirs
            if isinstance(row, Int) and row.name in _LONG and row.size in {4, 8}:
                return row.size
        for type_id in sorted(found for name in _LONG for found in self.named(name)):
            row_ = self.type(type_id)
            if isinstance(row_, Int) and row_.size in {4, 8}:
                return row_.size
        return 8

    def size_of(self, type_id: int) -> int:
        """Bytes of a value of this type. Raises :exc:`BtfError` where there is no size."""
        factor = 1
        for _ in range(64):
            type_id, row = self.resolve(type_id)
            match row:
                case Int() | Float() | Struct() | Enum() | Datasec():
                    return factor * row.size
                case Ptr():
                    return factor * 8
                case Array():
                    factor *= row.count
                    type_id = row.type
                case Var():
                    type_id = row.type
                case _:
                    raise BtfError("a type without a size", type_id=type_id)
        raise BtfError("arrays nest too deeply", type_id=type_id)
