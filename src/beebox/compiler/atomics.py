"""``atomic(x).field += n``, ``atomic(x).field.fetch_add(n)``: indivisible changes of integers."""

from __future__ import annotations

import ast
from typing import Final

from beebox.compiler.context import FunctionContext
from beebox.compiler.ir import (
    AtomicFetch,
    AtomicOp,
    AtomicUpdate,
    Expr,
    FieldPlace,
    IntType,
    Place,
    Space,
    Unary,
    UnaryOp,
)
from beebox.compiler.operators import convert, number
from beebox.compiler.places import space_of, writable
from beebox.compiler.types import name_of

_UPDATES: Final[dict[type[ast.operator], AtomicOp]] = {
    ast.Add: AtomicOp.ADD,
    ast.Sub: AtomicOp.ADD,
    ast.BitAnd: AtomicOp.AND,
    ast.BitOr: AtomicOp.OR,
    ast.BitXor: AtomicOp.XOR,
}
METHODS: Final = {
    "fetch_add": AtomicOp.ADD,
    "fetch_sub": AtomicOp.ADD,
    "fetch_and": AtomicOp.AND,
    "fetch_or": AtomicOp.OR,
    "fetch_xor": AtomicOp.XOR,
    "exchange": AtomicOp.EXCHANGE,
    "compare_exchange": AtomicOp.COMPARE_EXCHANGE,
}
"""Methods of ``atomic(x).field``, named as in C11; each gives the old value."""


def atomic_target(f: FunctionContext, target: ast.expr) -> ast.expr | None:
    """The target without its ``atomic(...)``; None when there is none."""
    if isinstance(target, ast.Call):
        if f.keyword(target.func) == "atomic" and len(target.args) == 1 and not target.keywords:
            return target.args[0]
        return None
    if isinstance(target, ast.Attribute | ast.Subscript):
        inner = atomic_target(f, target.value)
        if inner is None:
            return None
        if isinstance(target, ast.Attribute):
            stripped: ast.expr = ast.Attribute(inner, target.attr, target.ctx)
        else:
            stripped = ast.Subscript(inner, target.slice, target.ctx)
        return ast.copy_location(stripped, target)
    return None


def update(f: FunctionContext, node: ast.AugAssign, where: Place) -> AtomicUpdate:
    """``atomic(x).field += n``, and with -, &, | and ^."""
    op = _UPDATES.get(type(node.op))
    if op is None:
        raise f.error(node, "only +=, -=, &=, |= and ^= are atomic")
    type_ = _shared(f, node.target, where)
    value = convert(f, number(f, f.operand(node.value)), type_, "the value")
    if isinstance(node.op, ast.Sub):
        value = Unary(UnaryOp.NEG, value, type_, value.span)
    return AtomicUpdate(op, where, value, f.span(node))


def fetch(f: FunctionContext, node: ast.Call, name: str, target: ast.expr) -> Expr:
    """``atomic(x).field.fetch_add(n)`` and its family: the old value."""
    op = METHODS.get(name)
    if op is None:
        raise f.error(node, f"atomic(...) has no method '{name}'", f"it has: {', '.join(METHODS)}")
    wanted = 2 if op is AtomicOp.COMPARE_EXCHANGE else 1
    if node.keywords or len(node.args) != wanted:
        raise f.error(node, f"{name}() takes {wanted} arguments, by position")
    where = writable(f, target)
    type_ = _shared(f, target, where)
    values = [convert(f, number(f, f.operand(part)), type_, "the value") for part in node.args]
    if name == "fetch_sub":
        values[0] = Unary(UnaryOp.NEG, values[0], type_, values[0].span)
    expected = values[0] if op is AtomicOp.COMPARE_EXCHANGE else None
    return AtomicFetch(op, where, values[-1], expected, type_, f.span(node))


def _shared(f: FunctionContext, node: ast.expr, where: Place) -> IntType:
    """The type of a place that an atomic instruction can change."""
    type_ = where.type
    if not isinstance(type_, IntType) or type_.bits < 32:
        problem = f"{name_of(type_)} has no atomic operations"
        raise f.error(node, problem, "use a u32 or a u64")
    if isinstance(where, FieldPlace) and where.field.big_endian:
        raise f.error(node, "atomic operations work on the host's byte order")
    if space_of(where) not in {Space.MAP_VALUE, Space.GLOBAL}:
        raise f.error(node, "only map values and globals are shared", "write +=")
    return type_
