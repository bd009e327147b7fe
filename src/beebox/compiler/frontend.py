"""The front end: a source text to a typed module. Any text gives a Module or a CompileError."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TypeGuard

from beebox.compiler.context import Used
from beebox.compiler.diagnostics import Source
from beebox.compiler.functions import Functions
from beebox.compiler.ir import Function, GlobalDecl, MapDecl, Module, Span, StructType
from beebox.compiler.resolver import Resolver
from beebox.compiler.symbols import (
    FunctionName,
    GlobalName,
    MapName,
    Scope,
    StructName,
    Symbol,
    Text,
)
from beebox.errors import CompileError
from beebox.tables.map_types import MapType


def analyze(text: str, *, file: str) -> Module:
    """A program's source, ready for ``compiler.bpf``; raises CompileError."""
    return _analyze(Source(file, text), native=False, constants={})


def analyze_native(path: str | Path, *, constants: Mapping[str, int]) -> Module:
    """A native source (``compiler.dialect``) with its named constants; raises CompileError."""
    source = Source(str(path), Path(path).read_text(encoding="utf-8"))
    return _analyze(source, native=True, constants=constants)


def _analyze(source: Source, *, native: bool, constants: Mapping[str, int]) -> Module:
    try:
        resolver = Resolver(native=native, constants=constants)
        scope = resolver.read(source)
        return _module(scope, resolver)
    except RecursionError:
        span = Span(source.file, 1, 1, 2)
        raise source.error(span, "this source is nested too deeply") from None


def _module(scope: Scope, resolver: Resolver) -> Module:
    functions = Functions()
    own = [symbol for symbol in scope.names.values() if _is_own_function(symbol, scope)]
    programs = [symbol for symbol in own if symbol.node.decorator_list or scope.native]
    for symbol in programs:
        functions.resolve(symbol.node, scope.source, symbol, (), None)
    emitted = functions.emitted
    for symbol in own:  # what no program calls is checked, and left out
        if not functions.knows(symbol.node.name):
            functions.resolve(symbol.node, scope.source, symbol, (), None)
    if not any(function.section for function in emitted) and not scope.native:
        raise scope.source.error(
            Span(scope.source.file, 1, 1, 2),
            "this source has no program",
            "decorate a function: @xdp",
        )
    maps: dict[str, MapDecl] = {}
    variables: dict[str, GlobalDecl] = {}
    structs: dict[str, StructType] = {}
    license_ = "GPL"
    used = functions.used
    for named in (*scope.names.values(), *used.maps.values(), *used.globals.values()):
        match named:
            case MapName(decl=declared):
                maps.setdefault(declared.name, declared)
            case GlobalName(decl=variable):
                variables.setdefault(variable.name, variable)
            case StructName(type=struct):
                structs.setdefault(struct.name, struct)
            case _:
                pass
    given = scope.names.get("LICENSE")
    if isinstance(given, Text) and isinstance(given.value, str):
        license_ = given.value
    _check_names(scope.source, emitted, maps, variables)
    for declared in maps.values():
        if declared.map_type is MapType.PROG_ARRAY:
            _check_programs(scope.source, declared, emitted, used)
    return Module(
        scope.source.file,
        emitted,
        tuple(maps.values()),
        tuple(variables.values()),
        tuple(structs.values()),
        license_,
        resolver.sources,
    )


def _is_own_function(symbol: Symbol, scope: Scope) -> TypeGuard[FunctionName]:
    return isinstance(symbol, FunctionName) and symbol.scope is scope


def _check_programs(
    source: Source, declared: MapDecl, functions: tuple[Function, ...], used: Used
) -> None:
    """The first programs of a prog array are there, and of its callers' type."""
    sections = {row.name: row.section for row in functions if row.section is not None}
    types = set(used.tail_callers.get(declared.name, ()))
    for _, name in declared.slots:
        section = sections.get(name)
        if section is None:
            problem = f"'{declared.name}' names the program '{name}', which is not in this source"
            raise source.error(declared.span, problem, f"programs here: {', '.join(sections)}")
        types.add(section.program_type)
    if len(types) > 1:
        raise source.error(declared.span, f"'{declared.name}' joins programs of two types")


def _check_names(
    source: Source,
    functions: tuple[Function, ...],
    maps: Mapping[str, MapDecl],
    variables: Mapping[str, GlobalDecl],
) -> None:
    """One symbol table holds functions, maps and globals of every file."""
    taken: dict[str, Span] = {}
    items: list[Function | MapDecl | GlobalDecl] = [*functions]
    items += [*maps.values(), *variables.values()]
    for item in items:
        if item.name in taken:
            raise CompileError(
                f"'{item.name}' names two things",
                file=source.file,
                line=item.span.line,
                column=item.span.column,
                hint="rename one",
            )
        taken[item.name] = item.span
