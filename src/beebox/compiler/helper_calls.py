"""Calls of BPF helpers, by their rows: each pair of memory and size is one reference argument."""

from __future__ import annotations

import ast
import re
from typing import Final

from beebox.compiler.constants import evaluate
from beebox.compiler.context import FunctionContext, Literal, Nothing
from beebox.compiler.ir import (
    Bytes,
    CallHelper,
    Const,
    ContextArg,
    Expr,
    IntType,
    MapHandle,
    NoneConst,
    OptionalType,
    RefType,
    Space,
)
from beebox.compiler.operators import convert, number
from beebox.compiler.places import unchecked
from beebox.compiler.symbols import Text
from beebox.compiler.types import POINTER, U8, U32, U64, VOID, size_of
from beebox.tables.helpers import Arg, ArgKind, Helper

MAX_FORMAT_ARGUMENTS: Final = 3
_CONVERSION: Final = re.compile(r"%[-+ #0]*\d*(?:ll|l|h|hh)?([a-zA-Z%])")
_SIZES: Final = frozenset({ArgKind.CONST_SIZE, ArgKind.CONST_SIZE_OR_ZERO})


def call_helper(f: FunctionContext, node: ast.Call, helper: Helper) -> Expr:
    """A helper's call; afterwards packet references are void where the helper moves the packet."""
    if node.keywords:
        raise f.error(node, f"{helper.name}() takes its arguments by position")
    result = IntType(helper.ret_bits, helper.ret_signed)
    if helper.variadic:
        args = _format(f, node, helper)
        return CallHelper(helper, args, result, f.span(node))
    spelled = [arg for arg in helper.args if arg.kind not in _SIZES]
    if len(node.args) != len(spelled):
        names = ", ".join(arg.name.rstrip("_") for arg in spelled)
        raise f.error(node, f"{helper.name}({names}) takes {len(spelled)} arguments")
    given = iter(node.args)
    values: list[Expr] = []
    for arg in helper.args:
        if arg.kind in _SIZES:
            values.append(_size_before(f, node, helper, values[-1]))
        else:
            values.append(_argument(f, next(given), arg))
    if helper.changes_packet:
        f.void_packets(f"{helper.name}() on line {node.lineno}")
    return CallHelper(helper, tuple(values), result, f.span(node))


def _argument(f: FunctionContext, node: ast.expr, arg: Arg) -> Expr:
    match arg.kind:
        case ArgKind.CTX:
            value = f.operand(node)
            if isinstance(value, ContextArg):
                return value
            raise f.error(node, "the context is wanted here", "pass ctx")
        case ArgKind.CONST_MAP_PTR:
            declared = f.map_of(node)
            if declared is None:
                raise f.error(node, "a map is wanted here")
            return MapHandle(declared.name, VOID, f.span(node))
        case ArgKind.MEM | ArgKind.MAP_KEY | ArgKind.MAP_VALUE:
            return _memory(f, node, arg)
        case ArgKind.ANYTHING:
            return convert(f, number(f, f.operand(node)), IntType(arg.bits, arg.signed))
        case ArgKind.CONST_SIZE | ArgKind.CONST_SIZE_OR_ZERO:
            raise f.error(node, "sizes come with their memory")
        case _:
            raise f.error(node, f"the language has no {arg.kind.name} arguments")


def _memory(f: FunctionContext, node: ast.expr, arg: Arg) -> Expr:
    value = f.operand(node)
    if isinstance(value, Nothing) and arg.nullable:
        return NoneConst(OptionalType(RefType(U8, Space.LOCAL)), value.span)
    if not isinstance(value, Literal | Nothing):
        if isinstance(value.type, RefType):
            return value
        if isinstance(value.type, OptionalType):
            raise unchecked(f, node)
    raise f.error(node, "a struct or an array is wanted here")


def _size_before(f: FunctionContext, node: ast.Call, helper: Helper, memory: Expr) -> Expr:
    """The size argument that follows a memory argument: that of what it points to."""
    size = size_of(memory.type.target) if isinstance(memory.type, RefType) else 0
    if helper.name == "csum_diff" and (size % 4 or size > 512):
        raise f.error(
            memory.span,
            f"csum_diff() sums up to 512 bytes in steps of 4, and this has {size}",
            "pass a struct or an array of such a size",
        )
    return Const(size, U32, f.span(node))


def _format(f: FunctionContext, node: ast.Call, helper: Helper) -> tuple[Expr, ...]:
    """``trace_printk("x = %u", x)``: a constant format and up to three integers."""
    if not node.args:
        raise f.error(node, f"{helper.name}() needs a format", f'{helper.name}("x = %u", x)')
    first = node.args[0]
    if isinstance(first, ast.JoinedStr):
        raise f.error(first, "a format is a plain string", f'{helper.name}("x = %u", x)')
    text = evaluate(first, f.scope)
    if not (isinstance(text, Text) and isinstance(text.value, str) and text.value.isascii()):
        raise f.error(first, "a format is an ASCII string")
    if "\0" in text.value or len(text.value) > 127:
        raise f.error(first, "a format has at most 127 characters, and no NUL")
    wanted = sum(kind != "%" for kind in _CONVERSION.findall(text.value))
    values = node.args[1:]
    if wanted != len(values):
        raise f.error(node, f"the format takes {wanted} values, and {len(values)} are given")
    if wanted > MAX_FORMAT_ARGUMENTS:
        raise f.error(node, f"{helper.name}() prints at most {MAX_FORMAT_ARGUMENTS} values")
    data = text.value.encode() + b"\0"
    args: list[Expr] = [
        Bytes(data, POINTER, f.span(first)),
        Const(len(data), U32, f.span(first)),
    ]
    for value in values:
        converted = number(f, f.operand(value))
        if isinstance(converted, Literal):
            converted = convert(f, converted, U64 if converted.value >= 0 else IntType(64, True))
        args.append(converted)
    return tuple(args)
