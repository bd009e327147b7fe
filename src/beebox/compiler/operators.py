"""The integer rules: how operands find one type, and what is refused where they do not."""

from __future__ import annotations

import ast
from typing import Final

from beebox.compiler.constants import COMPARISONS, arithmetic, operator_hint
from beebox.compiler.context import FunctionContext, Literal, Nothing, Operand
from beebox.compiler.ir import (
    ArrayType,
    Binary,
    BinaryOp,
    BoolType,
    Cast,
    Compare,
    CompareOp,
    Const,
    DerefPlace,
    Expr,
    Intrinsic,
    IntType,
    NoneConst,
    OptionalType,
    PointerType,
    Read,
    RefTo,
    RefType,
    Span,
    StructType,
    Type,
    Unary,
    UnaryOp,
)
from beebox.compiler.types import BOOL, POINTER, U64, fits, name_of, wider, wrap

_OPS: Final = {
    ast.Add: BinaryOp.ADD,
    ast.Sub: BinaryOp.SUB,
    ast.Mult: BinaryOp.MUL,
    ast.FloorDiv: BinaryOp.DIV,
    ast.Mod: BinaryOp.MOD,
    ast.BitAnd: BinaryOp.AND,
    ast.BitOr: BinaryOp.OR,
    ast.BitXor: BinaryOp.XOR,
    ast.LShift: BinaryOp.SHL,
    ast.RShift: BinaryOp.SHR,
}
_COMPARES: Final = {
    ast.Eq: CompareOp.EQ,
    ast.NotEq: CompareOp.NE,
    ast.Lt: CompareOp.LT,
    ast.LtE: CompareOp.LE,
    ast.Gt: CompareOp.GT,
    ast.GtE: CompareOp.GE,
}


def describe(operand: Operand) -> str:
    """An operand's type, for a message."""
    match operand:
        case Literal():
            return "an integer"
        case Nothing():
            return "None"
        case _:
            return name_of(operand.type)


def number(f: FunctionContext, operand: Operand) -> Expr | Literal:
    """Refuse what is not an integer."""
    if isinstance(operand, Literal) or (
        not isinstance(operand, Nothing) and isinstance(operand.type, IntType)
    ):
        return operand
    hint = None
    if not isinstance(operand, Nothing):
        if isinstance(operand.type, BoolType):
            hint = "convert it: u32(...)"
        elif isinstance(operand.type, OptionalType):
            hint = "test it first: `if x is None: return ...`"
        elif isinstance(operand.type, RefType):
            hint = "name one of its fields"
    raise f.error(operand.span, f"{describe(operand)} stands where an integer is wanted", hint)


def convert(f: FunctionContext, operand: Operand, wanted: Type, what: str = "this") -> Expr:
    """An operand as a value of ``wanted``, by the implicit conversions alone.

    Literals adapt when they fit; unsigned and signed integers widen within their sign; a reference
    becomes an optional one. Everything else is an error that says what to write.
    """
    match operand, wanted:
        case Literal(value=value, span=span), IntType():
            if not fits(value, wanted):
                hint = f"to wrap it, write {name_of(wanted)}({value})"
                raise f.error(span, f"{value} does not fit {name_of(wanted)}", hint)
            return Const(value, wanted, span)
        case Nothing(span=span), OptionalType() | PointerType():
            return NoneConst(wanted, span)
        case ((Literal() | Nothing()), _):
            raise f.error(
                operand.span, f"{what} is {describe(operand)}, and {name_of(wanted)} is wanted"
            )
        case _:
            return _convert_value(f, operand, wanted, what)


def _convert_value(f: FunctionContext, value: Expr, wanted: Type, what: str) -> Expr:
    have = value.type
    if have == wanted:
        return value
    hint = None
    match have, wanted:
        case IntType(), IntType() if have.signed == wanted.signed and have.bits < wanted.bits:
            return Cast(value, wanted, value.span)
        case IntType(), IntType():
            hint = f"convert it: {name_of(wanted)}(...)"
            if isinstance(value, Const) and fits(value.value, wanted):
                hint = f"write {name_of(wanted)}({value.value})"
        case BoolType(), IntType():
            hint = f"convert it: {name_of(wanted)}(...)"
        case IntType(), BoolType():
            hint = "compare it: ... != 0"
        case RefType(), StructType() | ArrayType() if have.target == wanted:
            return copied(value)
        case RefType(), OptionalType() if wanted.ref == have:
            return Cast(value, wanted, value.span)
        case OptionalType(), _:
            hint = "test it first: `if x is None: return ...`"
        case _:
            pass
    raise f.error(value.span, f"{what} is {name_of(have)}, and {name_of(wanted)} is wanted", hint)


def copied(value: Expr) -> Read:
    """What a reference points to, as a value to copy."""
    assert isinstance(value.type, RefType)
    if isinstance(value, RefTo):
        return Read(value.place, value.type.target, value.span)
    target = value.type.target
    return Read(DerefPlace(value, target, value.span), target, value.span)


def explicit(f: FunctionContext, operand: Operand, wanted: IntType, span: Span) -> Expr:
    """``u16(x)``: any integer or bool, wrapped."""
    if isinstance(operand, Literal):
        return Const(wrap(operand.value, wanted), wanted, span)
    if not isinstance(operand, Nothing) and isinstance(operand.type, BoolType):
        return Cast(operand, wanted, span)
    value = number(f, operand)
    assert not isinstance(value, Literal)
    if isinstance(value, Const):
        return Const(wrap(value.value, wanted), wanted, span)
    return value if value.type == wanted else Cast(value, wanted, span)


def binary(f: FunctionContext, node: ast.BinOp, left: Operand, right: Operand) -> Operand:
    """``left op right`` under the integer rules (and address arithmetic in the native dialect)."""
    op = _OPS.get(type(node.op))
    span = f.span(node)
    if op is None:
        symbol = {ast.Div: "/", ast.Pow: "**", ast.MatMult: "@"}[type(node.op)]
        raise f.error(node, f"there is no {symbol} in BPF", operator_hint(node.op))
    pointer = _address(left, right, op, span, f)
    if pointer is not None:
        return pointer
    left, right = number(f, left), number(f, right)
    if isinstance(left, Literal) and isinstance(right, Literal):
        value = arithmetic(node, left.value, right.value, f.scope.source)
        return Literal(value, span, left.default or right.default)
    if op in {BinaryOp.SHL, BinaryOp.SHR}:
        return _shift(f, op, left, right, span)
    first, second, type_ = unify(f, left, right, span)
    if op in {BinaryOp.DIV, BinaryOp.MOD}:
        if type_.signed:
            raise f.error(
                node,
                "// and % on signed integers differ between Python and BPF",
                f"convert to unsigned first: u{type_.bits}(...)",
            )
        if isinstance(second, Const) and second.value == 0:
            raise f.error(node, "division by zero")
    return Binary(op, first, second, type_, span)


def _address(
    left: Operand, right: Operand, op: BinaryOp, span: Span, f: FunctionContext
) -> Expr | None:
    """``p + n`` and ``p - q``."""
    if isinstance(left, Literal | Nothing) or not isinstance(left.type, PointerType):
        return None
    if op is BinaryOp.ADD:
        if isinstance(right, Literal):  # may be negative
            right = explicit(f, right, U64, right.span)
        return Intrinsic("offset", (left, convert(f, right, U64)), POINTER, span)
    if op is BinaryOp.SUB and not isinstance(right, Literal | Nothing):
        return Intrinsic("distance", (left, convert(f, right, POINTER)), U64, span)
    raise f.error(span, "an address allows p + n and p - q only")


def _shift(
    f: FunctionContext, op: BinaryOp, left: Expr | Literal, right: Expr | Literal, span: Span
) -> Expr:
    """The result has the left side's type; the count may be of any unsigned type."""
    if isinstance(left, Literal):
        assert not isinstance(right, Literal)
        left = convert(f, left, right.type)
    type_ = left.type
    assert isinstance(type_, IntType)
    if isinstance(right, Literal):
        if not 0 <= right.value < type_.bits:
            raise f.error(
                right.span, f"a {name_of(type_)} is shifted by {right.value}", "widen it first"
            )
        return Binary(op, left, Const(right.value, type_, right.span), type_, span)
    if isinstance(right.type, IntType) and right.type.signed:
        raise f.error(right.span, "a shift count is unsigned", "convert it: u32(...)")
    count = right if right.type == type_ else Cast(right, type_, right.span)
    return Binary(op, left, count, type_, span)


def unify(
    f: FunctionContext, left: Expr | Literal, right: Expr | Literal, span: Span
) -> tuple[Expr, Expr, IntType]:
    """Both integers in their common type; mixed signs are refused."""
    if isinstance(left, Literal):
        if isinstance(right, Literal):
            default = left.default or right.default or _smallest(left.value, right.value)
            return convert(f, left, default), convert(f, right, default), default
        assert isinstance(right.type, IntType)
        return convert(f, left, right.type), right, right.type
    assert isinstance(left.type, IntType)
    if isinstance(right, Literal):
        return left, convert(f, right, left.type), left.type
    assert isinstance(right.type, IntType)
    if left.type.signed != right.type.signed:
        target = name_of(IntType(max(left.type.bits, right.type.bits), left.type.signed))
        raise f.error(
            span,
            f"{name_of(left.type)} and {name_of(right.type)} mix signs",
            f"convert one side: {target}(...)",
        )
    common = wider(left.type, right.type)
    return convert(f, left, common), convert(f, right, common), common


def _smallest(*values: int) -> IntType:
    for type_ in (IntType(32, signed=False), U64, IntType(64, signed=True)):
        if all(fits(value, type_) for value in values):
            return type_
    return U64


def compare(f: FunctionContext, op: ast.cmpop, left: Operand, right: Operand, span: Span) -> Expr:
    """One comparison of integers, conditions or (native) addresses."""
    kind = _COMPARES[type(op)]
    if isinstance(left, Literal) and isinstance(right, Literal):
        return Const(int(COMPARISONS[type(op)](left.value, right.value)), BOOL, span)
    for one, other in ((left, right), (right, left)):
        if isinstance(one, Nothing) or isinstance(other, Nothing):
            raise f.error(span, "None is compared with `is`", "write `is None` or `is not None`")
        if isinstance(one, Literal) or isinstance(other, Literal):
            continue
        if isinstance(one.type, PointerType):
            return Compare(kind, one, convert(f, other, POINTER), BOOL, span)
        if isinstance(one.type, BoolType) and kind in {CompareOp.EQ, CompareOp.NE}:
            return Compare(kind, one, convert(f, other, BOOL), BOOL, span)
    first, second, _ = unify(f, number(f, left), number(f, right), span)
    return Compare(kind, first, second, BOOL, span)


def negative(f: FunctionContext, op: ast.unaryop, operand: Operand, span: Span) -> Operand:
    """``-x``, ``~x`` and ``+x``."""
    value = number(f, operand)
    if isinstance(value, Literal):
        changed = {ast.USub: -value.value, ast.Invert: ~value.value}
        return Literal(changed.get(type(op), value.value), span, value.default)
    if isinstance(op, ast.UAdd):
        return value
    kind = UnaryOp.NEG if isinstance(op, ast.USub) else UnaryOp.INVERT
    return Unary(kind, value, value.type, span)
