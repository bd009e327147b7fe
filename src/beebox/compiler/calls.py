"""Calls: functions, types, structs, helpers, intrinsics and the context's methods."""

from __future__ import annotations

import ast
from typing import Final

from beebox.compiler.annotations import annotation
from beebox.compiler.atomics import atomic_target, fetch
from beebox.compiler.constants import SWAPS, evaluate, ipv4_number, sized
from beebox.compiler.context import FunctionContext, Literal, Nothing, Operand
from beebox.compiler.context_access import context_of
from beebox.compiler.context_access import method as context_method
from beebox.compiler.diagnostics import words
from beebox.compiler.helper_calls import call_helper
from beebox.compiler.ir import (
    ArrayType,
    BoolType,
    Budget,
    CallFunction,
    Compare,
    CompareOp,
    Const,
    Expr,
    Field,
    Intrinsic,
    IntType,
    OptionalType,
    RefTo,
    RefType,
    Select,
    StructType,
    StructValue,
    Unary,
    UnaryOp,
    VoidType,
)
from beebox.compiler.map_access import handle
from beebox.compiler.map_access import method as map_method
from beebox.compiler.operators import convert, explicit, number, unify
from beebox.compiler.operators import copied as copy_of
from beebox.compiler.places import unchecked
from beebox.compiler.symbols import (
    EnumName,
    FunctionName,
    HelperName,
    IntrinsicName,
    Keyword,
    MapName,
    StructName,
    Text,
    TypeName,
)
from beebox.compiler.types import BOOL, U32, name_of, size_of

MAX_ARGUMENTS: Final = 5
"""Registers R1 to R5 carry arguments (RFC 9669, section 2.1)."""


def call(f: FunctionContext, node: ast.Call) -> Operand:
    """A call, typed."""
    if isinstance(node.func, ast.Attribute):
        return _method(f, node, node.func)
    if not isinstance(node.func, ast.Name):
        raise f.error(node, "only a name can be called")
    called = node.func.id
    symbol = f.symbol(called)
    match symbol:
        case TypeName(type=IntType() as type_):
            return explicit(f, f.operand(_only(f, node)), type_, f.span(node))
        case TypeName(type=BoolType()):
            value = number(f, f.operand(_only(f, node)))
            first, zero, _ = unify(f, value, Literal(0, f.span(node)), f.span(node))
            return Compare(CompareOp.NE, first, zero, BOOL, f.span(node))
        case TypeName(type=StructType() as type_):
            raise f.error(
                node, f"{type_.name} is a field's type", f"values are u{type_.size * 8}(...)"
            )
        case StructName():
            return _struct(f, node, symbol)
        case EnumName():
            return explicit(f, f.operand(_only(f, node)), symbol.type, f.span(node))
        case FunctionName():
            return _function(f, node, symbol)
        case HelperName(helper=helper):
            return call_helper(f, node, helper)
        case IntrinsicName():
            return _intrinsic(f, node, symbol)
        case Keyword(name=word):
            return _keyword(f, node, word)
        case MapName():
            raise f.error(node, f"'{called}' is a map", f"look up an element: {called}[key]")
        case None if called in f.assigned_names:
            raise f.error(node, f"'{called}' is a variable: it cannot be called")
        case None:
            hint = "import it from beebox, or define it in this file"
            if called == "print":
                hint = 'write trace_printk("x = %u", x)'
            raise f.error(node.func, f"the function '{called}' is not defined", hint)
        case _:
            raise f.error(node, f"'{called}' cannot be called")


def _only(f: FunctionContext, node: ast.Call) -> ast.expr:
    """The one positional argument of a call."""
    return _positional(f, node, 1)[0]


def _positional(f: FunctionContext, node: ast.Call, count: int) -> list[ast.expr]:
    if node.keywords or any(isinstance(argument, ast.Starred) for argument in node.args):
        raise f.error(node, f"{words(node.func)}() takes its arguments by position")
    if len(node.args) != count:
        plural = "argument" if count == 1 else "arguments"
        raise f.error(
            node, f"{words(node.func)}() takes {count} {plural}, and {len(node.args)} are given"
        )
    return node.args


def _method(f: FunctionContext, node: ast.Call, func: ast.Attribute) -> Operand:
    owner = func.value
    shared = atomic_target(f, owner)
    if shared is not None:
        return fetch(f, node, func.attr, shared)
    context = context_of(f, owner)
    if context is not None:
        return context_method(f, node, func.attr, context)
    target = handle(f, owner)
    if target is not None:
        return map_method(f, node, func.attr, target)
    raise f.error(node, "methods are not part of the language", "write a function: f(x)")


def _struct(f: FunctionContext, node: ast.Call, symbol: StructName) -> Expr:
    """``Counter(packets=1)``: fields not named are their defaults, or zero."""
    struct = symbol.type
    if node.args:
        first = struct.fields[0].name
        raise f.error(
            node, f"{struct.name}(...) names its fields", f"write {struct.name}({first}=...)"
        )
    known = {field.name: field for field in struct.fields}
    values: dict[str, tuple[Field, Expr]] = {}
    for argument in node.keywords:
        if argument.arg is None or argument.arg not in known:
            problem = f"struct {struct.name} has no field '{argument.arg}'"
            raise f.error(argument.value, problem, f"it has: {', '.join(known)}")
        field = known[argument.arg]
        for other, _ in values.values():
            if field.offset < other.offset + size_of(other.type) and (
                other.offset < field.offset + size_of(field.type)
            ):
                problem = f"'{field.name}' lies over '{other.name}'"
                raise f.error(argument.value, problem, "give one of them")
        value = convert(f, f.operand(argument.value), field.type, f"the field '{field.name}'")
        values[field.name] = (field, value)
    span = f.span(node)
    for name, default in symbol.defaults.items():
        field = known[name]
        values.setdefault(name, (field, convert(f, Literal(default.value, span), field.type)))
    return StructValue(tuple(values.values()), struct, span)


def _function(f: FunctionContext, node: ast.Call, symbol: FunctionName) -> Expr:
    """A source function: a subprogram in BPF, which may move the packet under the caller."""
    name = symbol.node.name
    count = len(symbol.node.args.args)
    if count > MAX_ARGUMENTS and not f.native:
        raise f.error(node, f"{name}() has more than {MAX_ARGUMENTS} arguments", "pass a struct")
    operands = [f.operand(argument) for argument in _positional(f, node, count)]
    types = tuple(
        None if isinstance(value, Literal | Nothing) else value.type for value in operands
    )
    signature = f.resolve(node, f.scope.source, symbol, types, f.section)
    args: list[Expr] = []
    for argument, value, param in zip(node.args, operands, signature.function.params, strict=True):
        if isinstance(param.type, RefType) and not isinstance(value, Literal | Nothing):
            if isinstance(value.type, OptionalType):
                raise unchecked(f, argument)
            if isinstance(value, StructValue):
                raise f.error(argument, "an argument struct needs storage", "give it a name first")
        args.append(convert(f, value, param.type, f"the argument '{param.name}'"))
    if signature.changes_packet:
        f.void_packets(f"{name}() on line {node.lineno}")
    return CallFunction(
        signature.function.name, tuple(args), signature.function.result, f.span(node)
    )


def _intrinsic(f: FunctionContext, node: ast.Call, symbol: IntrinsicName) -> Expr:
    row = symbol.row
    given = _positional(f, node, len(row.params))
    args = []
    for index, (argument, wanted) in enumerate(zip(given, row.params, strict=True)):
        value = convert(f, f.operand(argument), wanted)
        if index in row.constants and not isinstance(value, Const):
            raise f.error(argument, f"{row.name}() needs a compile-time constant here")
        args.append(value)
    return Intrinsic(row.name, tuple(args), row.result, f.span(node))


def _keyword(f: FunctionContext, node: ast.Call, word: str) -> Operand:
    span = f.span(node)
    match word:
        case "sizeof":
            return Literal(sized(_only(f, node), f.scope), span)
        case "htons" | "ntohs" | "htonl" | "ntohl" | "bswap64":
            type_ = IntType(SWAPS[word], signed=False)
            swapped = convert(f, number(f, f.operand(_only(f, node))), type_)
            return Unary(UnaryOp.BSWAP, swapped, type_, span)
        case "bounded":
            _positional(f, node, 0)
            return Budget(BOOL, span)
        case "copied":
            return _copied(f, _only(f, node))
        case "zeroed":
            made = annotation(_only(f, node), f.scope)
            if not isinstance(made, StructType | ArrayType):
                raise f.error(node, f"zeroed() makes structs and arrays, not {name_of(made)}")
            return StructValue((), made, span)
        case "ipv4":
            text = evaluate(_only(f, node), f.scope)
            if isinstance(text, Text) and isinstance(text.value, str):
                return Literal(ipv4_number(node, text.value, f.scope.source), span, U32)
            raise f.error(node, 'an address is a string: ipv4("10.0.0.1")')
        case "len":
            value = f.operand(_only(f, node))
            if isinstance(value, RefTo) and isinstance(value.place.type, ArrayType):
                return Literal(value.place.type.count, span)
            raise f.error(node, "only arrays have a length")
        case "min" | "max":
            return _extreme(f, node, word)
        case "range":
            raise f.error(node, "range() stands in a for loop only", "for i in range(n): ...")
        case "atomic":
            raise f.error(node, "atomic(...) stands on the left of += only", "atomic(x).field += 1")
        case "int":
            raise f.error(node, "int has no width in BPF", "choose one: u32(...), u64(...)")
        case "float":
            raise f.error(node, "there are no fractions in BPF", "scale to an integer")
        case _:
            raise f.error(node, f"{word}(...) stands at module level")


def _copied(f: FunctionContext, node: ast.expr) -> Expr:
    """``copied(ip)``: a struct or array as a value of its own."""
    value = f.operand(node)
    if not isinstance(value, Literal | Nothing):
        if isinstance(value.type, OptionalType):
            raise unchecked(f, node)
        if isinstance(value.type, RefType):
            return copy_of(value)
    raise f.error(node, "a struct or an array is copied")


def _extreme(f: FunctionContext, node: ast.Call, word: str) -> Operand:
    """``min(a, b)`` and ``max(a, b)``."""
    one, two = _positional(f, node, 2)
    for side in (one, two):
        if any(isinstance(part, ast.Call) and not _is_cast(f, part) for part in ast.walk(side)):
            raise f.error(side, f"{word}() reads its arguments twice", "give it a name first")
    span = f.span(node)
    left, right = number(f, f.operand(one)), number(f, f.operand(two))
    if isinstance(left, Literal) and isinstance(right, Literal):
        return Literal({"min": min, "max": max}[word](left.value, right.value), span)
    first, second, type_ = unify(f, left, right, span)
    op = CompareOp.LE if word == "min" else CompareOp.GE
    return Select(Compare(op, first, second, BOOL, span), first, second, type_, span)


def _is_cast(f: FunctionContext, node: ast.Call) -> bool:
    return isinstance(node.func, ast.Name) and isinstance(f.symbol(node.func.id), TypeName)


def returns_nothing(value: Operand) -> bool:
    """Whether a call has no value."""
    return not isinstance(value, Literal | Nothing) and isinstance(value.type, VoidType)
