"""What a name at module level can mean: a closed union, filled by ``compiler.resolver``."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from typing import TypeAlias

from beebox.compiler.diagnostics import Source
from beebox.compiler.intrinsics import IntrinsicRow
from beebox.compiler.ir import GlobalDecl, IntType, MapDecl, StructType, Type
from beebox.tables.helpers import Helper


@dataclass(frozen=True, slots=True)
class Number:
    """A compile-time integer.

    Without ``type`` it adapts to what it meets, like a literal; ``default`` is the type a variable
    gets from it (an enum's u32). With ``type`` (``u32(5)``) it behaves as a value of that type.
    """

    value: int
    type: IntType | None = None
    default: IntType | None = None


@dataclass(frozen=True, slots=True)
class Text:
    """A compile-time string or bytes."""

    value: str | bytes


@dataclass(frozen=True, slots=True)
class TypeName:
    """An integer, ``bool``, ``ptr``, context or big-endian type."""

    type: Type


@dataclass(frozen=True, slots=True)
class StructName:
    """A ``@struct`` class and the defaults of its fields."""

    type: StructType
    defaults: dict[str, Number] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class EnumName:
    """An IntEnum class: its members are numbers with the default type u32, or i32."""

    name: str
    members: dict[str, int]

    @property
    def type(self) -> IntType:
        """u32, or i32 where a member is negative."""
        return IntType(32, signed=any(value < 0 for value in self.members.values()))


@dataclass(frozen=True, slots=True)
class MapName:
    decl: MapDecl


@dataclass(frozen=True, slots=True)
class GlobalName:
    decl: GlobalDecl


@dataclass(frozen=True, slots=True, eq=False)
class FunctionName:
    """A function's syntax and the module that it was written in."""

    node: ast.FunctionDef
    scope: Scope


@dataclass(frozen=True, slots=True)
class HelperName:
    helper: Helper


@dataclass(frozen=True, slots=True)
class IntrinsicName:
    row: IntrinsicRow


@dataclass(frozen=True, slots=True)
class Keyword:
    """A name of the language itself: ``range``, ``atomic``, ``struct``, ``xdp``, ``Hash``, ..."""

    name: str


Symbol: TypeAlias = (
    Number
    | Text
    | TypeName
    | StructName
    | EnumName
    | MapName
    | GlobalName
    | FunctionName
    | HelperName
    | IntrinsicName
    | Keyword
)


@dataclass(slots=True, eq=False)
class Scope:
    """The module-level names of one source."""

    source: Source
    names: dict[str, Symbol] = field(default_factory=dict)
    native: bool = False
