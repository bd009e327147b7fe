"""The BTF type graph: one class per kind, and :class:`Btf`, an immutable table of them.

Source: the kernel's Documentation/bpf/btf.rst. Type id 0 is ``void`` and has no row.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property
from typing import TypeAlias

from beebox.errors import BtfError


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


@dataclass(frozen=True)
class Btf:
    """An immutable type table: ``types[0]`` has id 1."""

    types: tuple[Type, ...] = ()

    def __len__(self) -> int:
        return len(self.types)

    def items(self) -> Iterator[tuple[int, Type]]:
        """Every ``(type id, type)``."""
        return enumerate(self.types, 1)

    def type(self, type_id: int) -> Type | None:
        """The type with this id; None is ``void``. Raises :exc:`BtfError` for ids out of range."""
        if type_id == 0:
            return None
        if not 0 < type_id <= len(self.types):
            raise BtfError("no such type", type_id=type_id)
        return self.types[type_id - 1]

    @cached_property
    def _by_name(self) -> dict[str, tuple[int, ...]]:
        found: dict[str, tuple[int, ...]] = {}
        for type_id, row in self.items():
            name = getattr(row, "name", "")
            if name:
                found[name] = (*found.get(name, ()), type_id)
        return found

    def named(self, name: str) -> tuple[int, ...]:
        """The ids of all types called ``name``."""
        return self._by_name.get(name, ())

    def resolve(self, type_id: int) -> tuple[int, Type | None]:
        """Skip typedefs and modifiers: ``(id, type)`` of what is behind them."""
        for _ in range(len(self.types) + 1):
            row = self.type(type_id)
            if not isinstance(row, Typedef | Modifier):
                return type_id, row
            type_id = row.type
        raise BtfError("typedefs form a loop", type_id=type_id)

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
