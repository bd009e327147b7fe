"""What the analysis of one function carries along: names, types, flow state, statements."""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final, Self, TypeAlias

from beebox.compiler.diagnostics import Located, Source
from beebox.compiler.flow import State
from beebox.compiler.ir import (
    Expr,
    Function,
    IntType,
    Local,
    LocalPlace,
    MapDecl,
    OptionalType,
    Param,
    RefType,
    Space,
    Span,
    Stmt,
    Type,
)
from beebox.compiler.symbols import FunctionName, GlobalName, MapName, Scope, Symbol
from beebox.errors import CompileError
from beebox.tables.program_types import ProgramType
from beebox.tables.sections import SectionRow

MAX_STEPS: Final = 200_000
"""Statements and expressions analysed per source: bounds the time that nested loops can take."""


PACKETS: Final = frozenset({Space.PACKET, Space.READ_ONLY_PACKET})
"""Where references become void when the packet moves."""


@dataclass(frozen=True, slots=True)
class Literal:
    """A compile-time integer that still adapts to the type that it meets."""

    value: int
    span: Span
    default: IntType | None = None


@dataclass(frozen=True, slots=True)
class Nothing:
    """A written None."""

    span: Span


Operand: TypeAlias = Expr | Literal | Nothing


Resolve: TypeAlias = Callable[
    [Located, Source, FunctionName, "tuple[Type | None, ...]", "SectionRow | None"], "Signature"
]


@dataclass(frozen=True, slots=True)
class Signature:
    """How a function is called, and what a call does to the caller's packet references."""

    function: Function
    changes_packet: str | None = None


@dataclass(slots=True)
class Used:
    """What the functions analysed so far have used, and the budget that is left."""

    maps: dict[str, MapName] = field(default_factory=dict)
    globals: dict[str, GlobalName] = field(default_factory=dict)
    tail_callers: dict[str, set[ProgramType]] = field(default_factory=dict)  # by map
    steps: int = 0


@dataclass(slots=True)
class Loop:
    """The states that leave a loop, collected while its body is analysed."""

    breaks: list[State] = field(default_factory=list)
    continues: list[State] = field(default_factory=list)


@dataclass(slots=True)
class FunctionContext:
    """One function under analysis. ``state`` is where control stands; ``out`` takes statements."""

    scope: Scope
    node: ast.FunctionDef
    params: tuple[Param, ...]
    result: Type
    used: Used
    resolve: Resolve
    evaluate: Callable[[Self, ast.expr], Operand]
    assigned_names: frozenset[str]
    section: SectionRow | None  # of the program that is, or that calls, this function
    is_program: bool
    state: State = field(default_factory=dict)
    locals: dict[str, Local] = field(default_factory=dict)
    out: list[Stmt] = field(default_factory=list)
    loops: list[Loop] = field(default_factory=list)
    changes_packet: str | None = None

    @property
    def native(self) -> bool:
        """Whether this is the native dialect."""
        return self.scope.native

    def span(self, node: Located) -> Span:
        """The place of a node."""
        return self.scope.source.span(node)

    def error(self, node: Located | Span, problem: str, hint: str | None = None) -> CompileError:
        """The error to raise at a node."""
        return self.scope.source.error(node, problem, hint)

    def operand(self, node: ast.expr) -> Operand:
        """The typed form of an expression; literals and None still adapt."""
        self.step(node)
        return self.evaluate(self, node)

    def step(self, node: Located) -> None:
        """Count one unit of work."""
        self.used.steps += 1
        if self.used.steps > MAX_STEPS:
            raise self.error(node, "this source is too complex", "nest fewer loops")

    def symbol(self, name: str) -> Symbol | None:
        """The module-level meaning of a name that no local shadows."""
        if name in self.assigned_names:
            return None
        found = self.scope.names.get(name)
        if isinstance(found, MapName):
            self.used.maps.setdefault(found.decl.name, found)
        elif isinstance(found, GlobalName):
            self.used.globals.setdefault(found.decl.name, found)
        return found

    def keyword(self, node: ast.expr) -> str | None:
        """The language word that an expression names, if it names one."""
        symbol = self.symbol(node.id) if isinstance(node, ast.Name) else None
        return getattr(symbol, "name", None) if type(symbol).__name__ == "Keyword" else None

    def map_of(self, node: ast.expr) -> MapDecl | None:
        """The map that an expression names, if it names one."""
        symbol = self.symbol(node.id) if isinstance(node, ast.Name) else None
        return symbol.decl if isinstance(symbol, MapName) else None

    def type_of(self, name: str) -> Type | None:
        """The type of a parameter or local, once it has one."""
        for param in self.params:
            if param.name == name:
                return param.type
        local = self.locals.get(name)
        return local.type if local else None

    def temporary(self, type_: Type, span: Span) -> LocalPlace:
        """A hidden local for a value that must be computed once."""
        name = f".{span.line}.{span.column}"
        self.locals[name] = Local(name, type_, span)
        return LocalPlace(name, type_, span)

    def void_packets(self, cause: str) -> None:
        """Mark every reference into the packet as void."""
        self.changes_packet = cause
        if self.state is None:
            return
        for name, fact in self.state.items():
            type_ = self.type_of(name)
            reference = type_.ref if isinstance(type_, OptionalType) else type_
            if isinstance(reference, RefType) and reference.space in PACKETS:
                self.state = {**self.state, name: replace(fact, stale=fact.stale or cause)}
