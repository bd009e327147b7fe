"""The closed constant evaluator: integers and strings known from the source, computed by us alone.

Nothing of the user's is executed, and no result may grow: integers stay within 128 bits, so that
``1 << 10**9`` is an error and not a gigabyte.
"""

from __future__ import annotations

import ast
import ipaddress
import operator
from collections.abc import Callable
from typing import Final

from beebox.compiler.diagnostics import Source, words
from beebox.compiler.ir import BoolType, IntType, StructType
from beebox.compiler.symbols import EnumName, Keyword, Number, Scope, StructName, Text, TypeName
from beebox.compiler.types import U32, fits, name_of, size_of, wider, wrap

MAX_BITS: Final = 128

OPERATORS: Final[dict[type[ast.operator], Callable[[int, int], int]]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.BitAnd: operator.and_,
    ast.BitOr: operator.or_,
    ast.BitXor: operator.xor,
    ast.LShift: operator.lshift,
    ast.RShift: operator.rshift,
}
SWAPS: Final = {"htons": 16, "ntohs": 16, "htonl": 32, "ntohl": 32, "bswap64": 64}
"""Functions that reverse an integer's bytes, and its bits: hosts of BPF are little-endian here."""
COMPARISONS: Final[dict[type[ast.cmpop], Callable[[int, int], bool]]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}


def arithmetic(node: ast.BinOp, left: int, right: int, source: Source) -> int:
    """``left op right`` on plain integers, as Python computes it."""
    compute = OPERATORS.get(type(node.op))
    if compute is None:
        raise source.error(node, "this operator is not part of a constant", operator_hint(node.op))
    if isinstance(node.op, ast.FloorDiv | ast.Mod) and right == 0:
        raise source.error(node, "division by zero")
    if isinstance(node.op, ast.LShift | ast.RShift) and not 0 <= right < MAX_BITS:
        raise source.error(node, f"a constant is shifted by {right}", "shift by 0 to 63")
    result = compute(left, right)
    if result.bit_length() > MAX_BITS:
        raise source.error(node, "this constant needs more than 128 bits")
    return result


def operator_hint(op: ast.operator) -> str | None:
    """What to write instead of an operator outside the language."""
    if isinstance(op, ast.Div):
        return "integers divide with //"
    if isinstance(op, ast.Pow):
        return "write the product, or 1 << n for a power of two"
    return None


def evaluate(node: ast.expr, scope: Scope) -> Number | Text:
    """The compile-time value of an expression; CompileError where it has none."""
    source = scope.source
    match node:
        case ast.Constant(value=bool() as value):
            return Number(int(value))
        case ast.Constant(value=int() as value):
            if value.bit_length() > MAX_BITS:
                raise source.error(node, "this integer needs more than 128 bits")
            return Number(value)
        case ast.Constant(value=str() | bytes() as text):
            return Text(text)
        case ast.Constant(value=float()):
            raise source.error(node, "there are no fractions in BPF", "scale to an integer")
        case ast.Name(id=name):
            symbol = scope.names.get(name)
            if isinstance(symbol, Number | Text):
                return symbol
            raise source.error(node, f"'{name}' is not a constant", _not_constant(scope, name))
        case ast.Attribute(value=ast.Name(id=name), attr=member):
            enum = scope.names.get(name)
            if isinstance(enum, EnumName):
                return enum_member(node, enum, member, source)
        case ast.UnaryOp(op=ast.USub() | ast.Invert() | ast.UAdd() as op, operand=inner):
            operand = integer(inner, scope)
            changed = {ast.USub: -operand.value, ast.Invert: ~operand.value}
            return _typed(changed.get(type(op), operand.value), operand.type)
        case ast.BinOp():
            return _binary(node, scope)
        case ast.Call():
            return _call(node, scope)
        case _:
            pass
    raise source.error(
        node,
        f"{words(node)} is not a compile-time constant",
        "constants are integers, strings and arithmetic on them",
    )


def integer(node: ast.expr, scope: Scope) -> Number:
    """As ``evaluate``, but only an integer will do."""
    value = evaluate(node, scope)
    if isinstance(value, Text):
        raise scope.source.error(node, "a string stands where an integer is wanted")
    return value


def enum_member(node: ast.expr, enum: EnumName, member: str, source: Source) -> Number:
    """A member's number; it adapts like a literal, and has the enum's type by default."""
    if member not in enum.members:
        known = ", ".join(enum.members)
        raise source.error(node, f"{enum.name} has no member '{member}'", f"it has: {known}")
    return Number(enum.members[member], default=enum.type)


def ipv4_number(node: ast.Call, text: str, source: Source) -> int:
    """A dotted address as the u32 that a big-endian field reads as."""
    try:
        return int(ipaddress.IPv4Address(text))
    except ValueError:
        raise source.error(node, f"{text[:40]!r} is not an IPv4 address") from None


def _typed(value: int, type_: IntType | None) -> Number:
    return Number(value if type_ is None else wrap(value, type_), type_)


def _binary(node: ast.BinOp, scope: Scope) -> Number:
    left, right = integer(node.left, scope), integer(node.right, scope)
    source = scope.source
    if left.type and right.type and left.type.signed != right.type.signed:
        problem = f"{name_of(left.type)} and {name_of(right.type)} mix signs"
        raise source.error(node, problem, f"convert one side: {name_of(left.type)}(...)")
    common = left.type or right.type
    if left.type and right.type and not isinstance(node.op, ast.LShift | ast.RShift):
        common = wider(left.type, right.type)
    value = arithmetic(node, left.value, right.value, source)
    default = None if common else left.default or right.default
    return Number(wrap(value, common) if common else value, common, default)


def _call(node: ast.Call, scope: Scope) -> Number:
    source = scope.source
    symbol = scope.names.get(node.func.id) if isinstance(node.func, ast.Name) else None
    if len(node.args) == 1 and not node.keywords:
        argument = node.args[0]
        match symbol:
            case TypeName(type=IntType() as type_):
                return Number(wrap(integer(argument, scope).value, type_), type_)
            case Keyword(name="ipv4"):
                text = evaluate(argument, scope)
                if isinstance(text, Text) and isinstance(text.value, str):
                    return Number(ipv4_number(node, text.value, source), default=U32)
                raise source.error(argument, 'an address is a string: ipv4("10.0.0.1")')
            case Keyword(name="sizeof"):
                return Number(sized(argument, scope))
            case Keyword(name=word) if word in SWAPS:
                type_ = IntType(SWAPS[word], signed=False)
                value = integer(argument, scope).value
                if not fits(value, type_):
                    raise source.error(argument, f"{value} does not fit {name_of(type_)}")
                swapped = value.to_bytes(type_.bits // 8, "big")
                return Number(int.from_bytes(swapped, "little"), type_)
            case Keyword(name="int"):
                return Number(integer(argument, scope).value)
            case _:
                pass
    raise source.error(
        node,
        f"{words(node.func)}(...) is not a compile-time constant",
        "at module level only types, ipv4() and sizeof() are called",
    )


def sized(node: ast.expr, scope: Scope) -> int:
    """``sizeof(T)`` for a type's name."""
    symbol = scope.names.get(node.id) if isinstance(node, ast.Name) else None
    match symbol:
        case StructName(type=struct):
            return struct.size
        case TypeName(type=(IntType() | BoolType()) as type_):
            return size_of(type_)
        case TypeName(type=StructType() as type_):
            return type_.size
        case _:
            pass
    raise scope.source.error(node, "sizeof() takes the name of a type")


def _not_constant(scope: Scope, name: str) -> str | None:
    if name not in scope.names:
        return f"define it above: {name}: Final = ..."
    return None


def number_bytes(node: ast.expr, number: Number, type_: IntType, source: Source) -> bytes:
    """A constant in memory, little-endian; it must fit."""
    if not fits(number.value, type_):
        raise source.error(node, f"{number.value} does not fit {name_of(type_)}")
    return number.value.to_bytes(type_.bits // 8, "little", signed=type_.signed)
