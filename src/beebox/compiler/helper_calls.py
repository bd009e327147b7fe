"""Calls of BPF helpers, by their rows: each pair of memory and size is one reference argument."""

from __future__ import annotations

import ast
import re
from typing import Final

from beebox.compiler.constants import evaluate
from beebox.compiler.context import PACKETS, FunctionContext, Literal, Nothing
from beebox.compiler.contexts import described
from beebox.compiler.helper_names import PACKET_PROGRAMS
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
    StructType,
    StructValue,
    Temporary,
    Type,
)
from beebox.compiler.operators import convert, number
from beebox.compiler.places import check_writable, unchecked
from beebox.compiler.symbols import Text, TypeName
from beebox.compiler.types import BIG_ENDIAN, POINTER, U8, U32, U64, VOID, name_of, size_of
from beebox.tables.helpers import Arg, ArgKind, Helper, RetKind
from beebox.tables.map_types import MapType

MAX_FORMAT_ARGUMENTS: Final = 3
_CONVERSION: Final = re.compile(r"%[-+ #0]*\d*(?:ll|l|h|hh)?([a-zA-Z%])")
_SIZES: Final = frozenset({ArgKind.CONST_SIZE, ArgKind.CONST_SIZE_OR_ZERO})


def call_helper(f: FunctionContext, node: ast.Call, helper: Helper) -> Expr:
    """A helper's call; afterwards packet references are void where the helper moves the packet."""
    if node.keywords:
        raise f.error(node, f"{helper.name}() takes its arguments by position")
    helper = as_called(f, node, helper)
    if helper.name == "tail_call" and f.section is not None and not f.is_program:
        problem = "a tail call from a function comes back to the function's caller"
        raise f.error(node, problem, "call it in the program itself")
    if helper.variadic:
        args = _format(f, node, helper)
        return CallHelper(helper, args, _result(f, node, helper), f.span(node))
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
            values.append(_argument(f, next(given), arg, helper, node))
    return made_call(f, node, helper, tuple(values), _result(f, node, helper))


def made_call(
    f: FunctionContext, node: ast.Call, helper: Helper, args: tuple[Expr, ...], result: Type
) -> CallHelper:
    """A call with typed arguments, and what it does to the packet's references."""
    if helper.changes_packet:
        f.void_packets(f"{helper.name}() on line {node.lineno}")
    return CallHelper(helper, args, result, f.span(node))


def as_called(f: FunctionContext, node: ast.Call, helper: Helper) -> Helper:
    """The helper as this program sees it, if it may call it."""
    section = f.section
    if section is None:
        return helper
    if helper.allowed(section.program_type, section.attach_type):
        return helper.called_by(section.program_type)
    callers = sorted(row.value.name for row in helper.program_types & PACKET_PROGRAMS)
    problem = f"{described(section)} may not call {helper.name}()"
    raise f.error(node, problem, f"programs that may: {', '.join(callers)}")


def _result(f: FunctionContext, node: ast.Call, helper: Helper) -> Type:
    match helper.ret:
        case RetKind.VOID:
            return VOID
        case RetKind.MAP_VALUE_OR_NULL:
            declared = f.map_of(node.args[0])
            assert declared is not None
            return OptionalType(RefType(declared.value, Space.MAP_VALUE))
        case _:
            return IntType(helper.ret_bits, helper.ret_signed)


def _argument(f: FunctionContext, node: ast.expr, arg: Arg, helper: Helper, call: ast.Call) -> Expr:
    match arg.kind:
        case ArgKind.CTX:
            value = f.operand(node)
            if isinstance(value, ContextArg):
                return value
            raise f.error(node, "the context is wanted here", "pass ctx")
        case ArgKind.CONST_MAP_PTR:
            return _map(f, node, helper)
        case ArgKind.MAP_KEY:
            declared = f.map_of(call.args[0])
            assert declared is not None
            return in_memory(convert(f, f.operand(node), declared.key, "this key"))
        case ArgKind.MEM:
            return _memory(f, node, arg, helper)
        case ArgKind.ANYTHING:
            return convert(f, number(f, f.operand(node)), IntType(arg.bits, arg.signed))
        case _:
            raise f.error(node, f"the language has no {arg.kind.name} arguments")


def _map(f: FunctionContext, node: ast.expr, helper: Helper) -> Expr:
    declared = f.map_of(node)
    if declared is None:
        raise f.error(node, "a map is wanted here")
    if helper.map_types and declared.map_type not in helper.map_types:
        kinds = ", ".join(sorted(row.value.name for row in helper.map_types))
        problem = f"{helper.name}() takes no {declared.map_type.value.name} map"
        raise f.error(node, problem, f"maps that it takes: {kinds}")
    if declared.map_type is MapType.PROG_ARRAY and f.section is not None:
        f.used.tail_callers.setdefault(declared.name, set()).add(f.section.program_type)
    return MapHandle(declared.name, POINTER, f.span(node))


def in_memory(value: Expr) -> Expr:
    """A value as an argument that points to it: a temporary for the time of the call."""
    return Temporary(value, RefType(value.type, Space.LOCAL), value.span)


def _memory(f: FunctionContext, node: ast.expr, arg: Arg, helper: Helper) -> Expr:
    value = _big_endian(f, node) or f.operand(node)
    if isinstance(value, Nothing) and arg.nullable:
        return NoneConst(OptionalType(RefType(U8, Space.LOCAL)), value.span)
    if isinstance(value, Literal | Nothing):
        hint = "give it a width: u32(...), or be32(...) for network byte order"
        raise f.error(node, "memory is wanted here", hint if isinstance(value, Literal) else None)
    if isinstance(value.type, OptionalType):
        raise unchecked(f, node)
    if isinstance(value.type, IntType) or isinstance(value, StructValue):
        if arg.writes:
            raise f.error(node, f"{helper.name}() writes here", "pass a struct or array variable")
        value = in_memory(value)
    if not isinstance(value.type, RefType):
        raise f.error(node, "a struct or an array is wanted here")
    if arg.writes:
        check_writable(f, node, value.type.space)
    if value.type.space is Space.FLOW_KEYS:
        raise f.error(node, f"{helper.name}() does not take flow keys", "copy them: copied(...)")
    if value.type.space in PACKETS and not helper.packet_access:
        problem = f"{helper.name}() does not take bytes of the packet"
        raise f.error(node, problem, "copy them: copied(...)")
    if size_of(value.type.target) < arg.fixed_size:
        problem = f"{helper.name}() takes {arg.fixed_size} bytes here"
        raise f.error(node, f"{problem}, and {name_of(value.type)} has fewer")
    return value


def _big_endian(f: FunctionContext, node: ast.expr) -> StructValue | None:
    """``be32(x)``: an integer in memory in network byte order; only helpers take it."""
    match node:
        case ast.Call(func=ast.Name(id=called), args=[argument], keywords=[]):
            symbol = f.symbol(called)
            if isinstance(symbol, TypeName) and symbol.type in BIG_ENDIAN.values():
                assert isinstance(symbol.type, StructType)
                field = symbol.type.fields[0]
                value = convert(f, number(f, f.operand(argument)), field.type)
                return StructValue(((field, value),), symbol.type, f.span(node))
        case _:
            pass
    return None


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
