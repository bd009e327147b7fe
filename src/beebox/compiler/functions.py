"""Functions: signatures, the call graph, and the analysis of each body."""

from __future__ import annotations

import ast
from dataclasses import replace
from difflib import get_close_matches
from typing import Final

from beebox.compiler.annotations import annotation
from beebox.compiler.calls import MAX_ARGUMENTS
from beebox.compiler.constants import evaluate, integer
from beebox.compiler.context import FunctionContext, Signature, Used
from beebox.compiler.contexts import ANY_CONTEXT, DECORATORS, ENUMS, FRAGS, class_of, described
from beebox.compiler.declarations import keyword_of
from beebox.compiler.diagnostics import Located, Source
from beebox.compiler.expressions import operand
from beebox.compiler.flow import Fact
from beebox.compiler.helper_names import PACKET_PROGRAMS
from beebox.compiler.ir import (
    ArrayType,
    BoolType,
    ContextType,
    Function,
    IntType,
    OptionalType,
    Param,
    PointerType,
    RefType,
    Space,
    StructType,
    Type,
    VoidType,
)
from beebox.compiler.statements import block
from beebox.compiler.symbols import FunctionName, Scope, Text
from beebox.compiler.types import BIG_ENDIAN, name_of, size_of
from beebox.tables.limits import MAX_CALL_FRAMES, MAX_STACK_BYTES
from beebox.tables.sections import SectionRow, section_row

MAX_FUNCTIONS: Final = 256


class Functions:
    """Analyses functions on their first call, callees before callers; finds recursion."""

    def __init__(self) -> None:
        self.used = Used()
        self._done: dict[tuple[object, ...], Signature] = {}
        self._names: dict[str, FunctionName] = {}
        self._active: list[str] = []

    @property
    def emitted(self) -> tuple[Function, ...]:
        """The functions analysed so far, callees first, each form once."""
        return tuple({s.function.name: s.function for s in self._done.values()}.values())

    def knows(self, name: str) -> bool:
        """Whether a function has been analysed."""
        return name in self._names

    def resolve(
        self,
        node: Located,
        source: Source,
        symbol: FunctionName,
        types: tuple[Type | None, ...],
        section: SectionRow | None,
    ) -> Signature:
        """The signature for a call with arguments of these types (None: literals).

        A function has a form for each kind of storage that its references point to, and for each
        program type whose rules make a difference in it.
        """
        name = symbol.node.name
        if self._names.setdefault(name, symbol).node is not symbol.node:
            raise source.error(node, f"two functions are called '{name}'", "rename one")
        if name in self._active:
            chain = " -> ".join([*self._active[self._active.index(name) :], name])
            raise source.error(node, f"functions cannot recurse: {chain}", "write a loop")
        params = _parameters(symbol.node, symbol.scope, types)
        own = _program_section(symbol.node, symbol.scope)
        if own is not None and types:
            raise source.error(node, f"'{name}' is a program", "call a plain function")
        key = (name, tuple(param.type for param in params), section)
        if key in self._done:
            return self._done[key]
        if len(self._active) >= MAX_CALL_FRAMES and not symbol.scope.native:
            raise source.error(node, f"calls go at most {MAX_CALL_FRAMES} deep")
        self._active.append(name)
        signature = self._analyze(symbol, params, own, section)
        self._active.pop()
        self._done[key] = self._shared(signature)
        return self._done[key]

    def _shared(self, signature: Signature) -> Signature:
        """The same function under a name of its own, or the equal one that is there already."""
        function = signature.function
        forms = [other.function for other in self._done.values()]
        forms = [other for other in forms if other.span == function.span]
        for other in forms:
            if replace(function, name=other.name) == other:
                return replace(signature, function=other)
        if not forms:
            return signature
        number = len({other.name for other in forms}) + 1
        return replace(signature, function=replace(function, name=f"{function.name}__{number}"))

    def _analyze(
        self,
        symbol: FunctionName,
        params: tuple[Param, ...],
        own: str | None,
        section: SectionRow | None,
    ) -> Signature:
        node, scope = symbol.node, symbol.scope
        result = _result(node, scope)
        row = section_row(own) if own is not None else None
        if row is not None:
            _check_program(node, scope, params, result, row)
        names = {param.name for param in params} | {
            part.id
            for part in ast.walk(node)
            if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store)
        }
        f = FunctionContext(
            scope=scope,
            node=node,
            params=params,
            result=result,
            used=self.used,
            resolve=self.resolve,
            evaluate=operand,
            assigned_names=frozenset(names),
            section=row or section,
            is_program=row is not None,
            state={param.name: Fact() for param in params},
        )
        body = block(f, node.body)
        if f.state is not None and not isinstance(result, VoidType):
            raise scope.source.error(
                node.body[-1],
                f"{node.name}() can end here without returning {name_of(result)}",
                "return a value on every path",
            )
        if not scope.native:
            _check_stack(f, symbol)
        function = Function(
            node.name,
            params,
            f.result,
            tuple(f.locals.values()),
            body,
            scope.source.span(node),
            section=row,
            section_name=own or "",
        )
        return Signature(_marked(function, node, scope), f.changes_packet)


def _program_section(node: ast.FunctionDef, scope: Scope) -> str | None:
    """The SEC() name that a function's decorator gives it; None for a plain function."""
    if scope.native:
        return None
    section = None
    for decorator in node.decorator_list:
        if section is not None:
            raise scope.source.error(decorator, "a program has one section")
        section = _named_section(decorator, scope)
        if section is None:
            raise scope.source.error(
                decorator,
                "this decorator has no meaning in BPF",
                'write @xdp, @tc, ... or @section("...")',
            )
        row = section_row(section)
        if row is None:
            close = get_close_matches(section, DECORATORS.values(), n=1)
            raise scope.source.error(
                decorator,
                f"no program type claims the section '{section[:64]}'",
                f'did you mean "{close[0]}"?' if close else 'use "xdp", "tc", ...',
            )
        if row.program_type not in PACKET_PROGRAMS:
            raise scope.source.error(
                decorator, f"the language has no {row.program_type.value.name} programs yet"
            )
    return section


def _named_section(decorator: ast.expr, scope: Scope) -> str | None:
    """The SEC() name that a decorator stands for."""
    word = keyword_of(decorator, scope)
    if word is not None and word in DECORATORS:
        return DECORATORS[word]
    match decorator:
        case ast.Call(func=func, args=[argument], keywords=[]):
            if keyword_of(func, scope) == "section":
                text = evaluate(argument, scope)
                if isinstance(text, Text) and isinstance(text.value, str):
                    return text.value
        case ast.Call(func=func, args=[], keywords=[ast.keyword(arg="frags", value=value)]):
            if keyword_of(func, scope) == "xdp":
                return FRAGS if integer(value, scope).value else DECORATORS["xdp"]
        case _:
            pass
    return None


def _marked(function: Function, node: ast.FunctionDef, scope: Scope) -> Function:
    """The native dialect's decorators."""
    if not scope.native:
        return function
    for decorator in node.decorator_list:
        match keyword_of(decorator, scope):
            case "export":
                function = replace(function, exported=True)
            case "inline":
                function = replace(function, inline=True)
            case "cold":
                function = replace(function, inline=False)
            case _:
                raise scope.source.error(decorator, "write @export, @inline or @cold")
    return function


def _parameters(
    node: ast.FunctionDef, scope: Scope, types: tuple[Type | None, ...]
) -> tuple[Param, ...]:
    source, args = scope.source, node.args
    if args.vararg or args.kwarg or args.kwonlyargs or args.posonlyargs or args.defaults:
        raise source.error(node, f"{node.name}() takes plain positional parameters only")
    if len(args.args) > MAX_ARGUMENTS and not scope.native:
        problem = f"{node.name}() has more than {MAX_ARGUMENTS} parameters"
        raise source.error(args.args[MAX_ARGUMENTS], problem, "pass a struct")
    params = []
    for index, arg in enumerate(args.args):
        if arg.annotation is None:
            raise source.error(arg, f"'{arg.arg}' needs a type", f"write {arg.arg}: u32")
        type_ = annotation(arg.annotation, scope)
        given = types[index] if index < len(types) else None
        if isinstance(type_, StructType | ArrayType) and type_ not in BIG_ENDIAN.values():
            # a function that nobody calls is checked as if with what allows most
            unknown = Space.LOCAL if types else Space.MAP_VALUE
            space = given.space if isinstance(given, RefType) else unknown
            type_ = RefType(type_, space)
        elif type_ == ContextType(ANY_CONTEXT):
            type_ = given if isinstance(given, ContextType) else type_
        elif isinstance(type_, OptionalType):
            raise source.error(
                arg, "a parameter cannot be None", "test it before the call, and pass the struct"
            )
        elif not isinstance(type_, IntType | BoolType | ContextType | PointerType):
            raise source.error(arg, f"a parameter cannot be {name_of(type_)}")
        params.append(Param(arg.arg, type_, source.span(arg)))
    return tuple(params)


def _result(node: ast.FunctionDef, scope: Scope) -> Type:
    if node.returns is None:
        raise scope.source.error(
            node, f"{node.name}() needs a result type", "write -> u32, -> bool or -> None"
        )
    type_ = annotation(node.returns, scope)
    if isinstance(type_, IntType | BoolType | VoidType | PointerType):
        return type_
    if not scope.native:
        if isinstance(type_, OptionalType):
            return type_
        if isinstance(type_, StructType | ArrayType) and type_ not in BIG_ENDIAN.values():
            return RefType(type_, Space.LOCAL)  # which storage, the first return says
    raise scope.source.error(
        node.returns,
        f"a function cannot return {name_of(type_)}",
        "return an integer, a bool, or a reference: a struct, or T | None",
    )


def _check_program(
    node: ast.FunctionDef,
    scope: Scope,
    params: tuple[Param, ...],
    result: Type,
    section: SectionRow,
) -> None:
    row = section.program_type.value
    assert row.context is not None
    wanted = class_of(row.context.name)
    types = [param.type for param in params]
    if types != [ContextType(row.context.name)]:
        raise scope.source.error(
            node,
            f"{described(section)} takes its context, {wanted}",
            f"def {node.name}(ctx: {wanted})",
        )
    verdict = row.verdicts.__name__ if row.verdicts is not None else "u32"
    named = node.returns.id if isinstance(node.returns, ast.Name) else ""
    others = {enum.__name__ for enum in ENUMS} - {verdict}
    if not (isinstance(result, IntType) and result.bits == 32) or named in others:
        raise scope.source.error(
            node.returns or node, f"{described(section)} returns its verdict", f"write -> {verdict}"
        )


def _check_stack(f: FunctionContext, symbol: FunctionName) -> None:
    """Refuse what cannot fit: LLVM ends its process over a frame of more than 512 bytes.

    Counts structs and arrays, and the largest key and value that this function hands to a map.
    """
    stored = [
        local for local in f.locals.values() if isinstance(local.type, StructType | ArrayType)
    ]
    total = sum(-(-size_of(local.type) // 8) * 8 for local in stored)
    if total > MAX_STACK_BYTES:
        biggest = max(stored, key=lambda local: size_of(local.type))
        raise symbol.scope.source.error(
            biggest.span,
            f"{symbol.node.name}() needs {total} bytes of stack, and BPF has {MAX_STACK_BYTES}",
            "keep large data in a PerCpuArray with one element",
        )
