"""Python integers as z3 terms, exactly.

A :class:`Term` is a signed bit-vector just wide enough for the interval that its value can lie in,
so that no operation wraps: ``Term`` computes what Python computes, on every integer at once. An
operation that this cannot express raises :class:`Unsupported`; none is approximated.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import z3

MAX_WIDTH = 400  # an interval that needs more bits comes from a shift that was not meant


class Unsupported(Exception):  # noqa: N818  # it is no error of the code under proof
    """The evaluator cannot express this: a proof that meets it fails, it is not skipped."""


@dataclass(frozen=True, slots=True, eq=False)
class Flag:
    """A symbolic bool."""

    is_true: z3.BoolRef

    def __bool__(self) -> bool:
        raise Unsupported("a symbolic bool decides Python's own control flow")


def width_of(low: int, high: int) -> int:
    """Bits of a two's complement that holds ``[low, high]``."""
    return max(high.bit_length(), (~low if low < 0 else low).bit_length()) + 1


class Term:
    """A symbolic int in ``[low, high]``; ``bits`` is its two's complement."""

    __slots__ = ("bits", "high", "low")

    def __init__(self, bits: z3.BitVecRef, low: int, high: int) -> None:
        width = width_of(low, high)
        if width > MAX_WIDTH:
            raise Unsupported(f"an integer of {width} bits")
        have = bits.size()
        if have > width:
            bits = z3.Extract(width - 1, 0, bits)
        elif have < width:
            bits = z3.SignExt(width - have, bits)
        self.bits, self.low, self.high = bits, low, high

    def at(self, width: int) -> z3.BitVecRef:
        """The same number, in ``width`` bits or more."""
        have = self.bits.size()
        return z3.SignExt(width - have, self.bits) if width > have else self.bits

    def __bool__(self) -> bool:
        raise Unsupported("a symbolic int decides Python's own control flow")

    def __add__(self, other: Number) -> Term:
        return _linear(self, other, 1)

    def __radd__(self, other: Number) -> Term:
        return _linear(as_term(other), self, 1)

    def __sub__(self, other: Number) -> Term:
        return _linear(self, other, -1)

    def __rsub__(self, other: Number) -> Term:
        return _linear(as_term(other), self, -1)

    def __neg__(self) -> Term:
        return _linear(as_term(0), self, -1)

    def __invert__(self) -> Term:
        return Term(~self.bits, ~self.high, ~self.low)

    def __mul__(self, other: Number) -> Term:
        y = as_term(other)
        corners = [p * q for p in (self.low, self.high) for q in (y.low, y.high)]
        width = max(width_of(min(corners), max(corners)), self.bits.size(), y.bits.size())
        return Term(self.at(width) * y.at(width), min(corners), max(corners))

    __rmul__ = __mul__

    def __and__(self, other: Number) -> Term:
        y = as_term(other)
        tops = [term.high for term in (self, y) if term.low >= 0]
        low, high = (0, min(tops)) if tops else _spread(self, y)
        return _bitwise(self, y, low, high, "__and__")

    __rand__ = __and__

    def __or__(self, other: Number) -> Term:
        y = as_term(other)
        return _bitwise(self, y, *_spread(self, y), "__or__")

    __ror__ = __or__

    def __xor__(self, other: Number) -> Term:
        y = as_term(other)
        return _bitwise(self, y, *_spread(self, y), "__xor__")

    __rxor__ = __xor__

    def __lshift__(self, other: Number) -> Term:
        y = _amount(other)
        ends = [end << by for end in (self.low, self.high) for by in (y.low, y.high)]
        width = max(width_of(min(ends), max(ends)), self.bits.size(), y.bits.size())
        return Term(self.at(width) << y.at(width), min(ends), max(ends))

    def __rlshift__(self, other: Number) -> Term:
        return as_term(other) << self

    def __rshift__(self, other: Number) -> Term:
        y = _amount(other)
        ends = [end >> by for end in (self.low, self.high) for by in (y.low, y.high)]
        width = max(self.bits.size(), y.bits.size())
        return Term(self.at(width) >> y.at(width), min(ends), max(ends))

    def __rrshift__(self, other: Number) -> Term:
        return as_term(other) >> self

    def __floordiv__(self, other: Number) -> Term:
        x, y, width = _naturals(self, other)
        return Term(z3.UDiv(x.at(width), y.at(width)), 0, _top(width - 1))

    def __mod__(self, other: Number) -> Term:
        x, y, width = _naturals(self, other)
        return Term(z3.URem(x.at(width), y.at(width)), 0, _top(width - 1))

    def compare(self, op: str, other: Number) -> Flag:
        """``op`` is a method's name: ``__lt__`` ..., ``__eq__``, ``__ne__``."""
        y = as_term(other)
        width = max(self.bits.size(), y.bits.size())
        return Flag(getattr(self.at(width), op)(y.at(width)))

    def magnitude(self) -> Term:
        """``abs`` of it."""
        either = pick(self.compare("__lt__", 0).is_true, -self, self)
        return Term(either.bits, 0, max(abs(self.low), abs(self.high)))

    def bit_length(self) -> Term:
        """As of int, for what is not negative."""
        if self.low < 0:
            raise Unsupported("bit_length of what may be negative")
        top = self.high.bit_length()
        result = z3.BitVecVal(0, 16)
        for index in range(top):
            is_set = z3.Extract(index, index, self.bits) == 1
            result = z3.If(is_set, z3.BitVecVal(index + 1, 16), result)
        return Term(result, 0, top)

    def to_bytes(self, length: int, order: str) -> list[Term]:
        """The bytes, first one first."""
        if self.low < 0 or self.high >> 8 * length:
            raise Unsupported("to_bytes of what may not fit")
        parts = [self >> 8 * index & 0xFF for index in range(length)]
        return parts if order == "little" else parts[::-1]


Number = int | Term | Flag


def as_term(value: Any) -> Term:
    """An int, bool or Flag as a Term."""
    if isinstance(value, Term):
        return value
    if isinstance(value, Flag):
        return Term(z3.If(value.is_true, z3.BitVecVal(1, 2), z3.BitVecVal(0, 2)), 0, 1)
    if isinstance(value, int):
        value = int(value)
        return Term(z3.BitVecVal(value, width_of(value, value)), value, value)
    raise TypeError(f"no number: {value!r}")


def unsigned(name: str, bits: int) -> Term:
    """A fresh number of ``[0, 1 << bits)``."""
    return Term(z3.ZeroExt(1, z3.BitVec(name, bits)), 0, _top(bits))


def signed(name: str, bits: int) -> Term:
    """A fresh number of ``bits`` bits, two's complement."""
    half = 1 << (bits - 1)
    return Term(z3.BitVec(name, bits), -half, half - 1)


def from_bytes(parts: list[Term], order: str) -> Term:
    """``int.from_bytes`` of what :meth:`Term.to_bytes` gave."""
    total: Any = 0
    for index, part in enumerate(parts if order == "little" else parts[::-1]):
        total = total | part << 8 * index
    return as_term(total)


def _top(bits: int) -> int:
    return (1 << bits) - 1


def _linear(x: Term, other: Number, sign: int) -> Term:
    y = as_term(other)
    low, high = (x.low + y.low, x.high + y.high) if sign > 0 else (x.low - y.high, x.high - y.low)
    width = max(width_of(low, high), x.bits.size(), y.bits.size())
    bits = x.at(width) + y.at(width) if sign > 0 else x.at(width) - y.at(width)
    return Term(bits, low, high)


def _bitwise(x: Term, y: Term, low: int, high: int, op: str) -> Term:
    width = max(x.bits.size(), y.bits.size())
    return Term(getattr(x.at(width), op)(y.at(width)), low, high)


def _spread(x: Term, y: Term) -> tuple[int, int]:
    bits = max(x.bits.size(), y.bits.size()) - 1
    return (0 if x.low >= 0 and y.low >= 0 else -1 << bits), _top(bits)


def _amount(other: Number) -> Term:
    y = as_term(other)
    known = z3.simplify(y.bits)
    if z3.is_bv_value(known):
        y = as_term(known.as_signed_long())
    if y.low < 0 or y.high > MAX_WIDTH:
        raise Unsupported(f"a shift by {y.low}..={y.high}")
    return y


def _naturals(x: Term, other: Number) -> tuple[Term, Term, int]:
    y = as_term(other)
    if x.low < 0 or y.low < 0:
        raise Unsupported("division of what may be negative")
    return x, y, max(x.bits.size(), y.bits.size())


class Whole(Term):
    """A symbolic int without bits, for what multiplies: z3's own integers."""

    __slots__ = ("number",)

    def __init__(self, number: z3.ArithRef) -> None:
        self.number = number

    @staticmethod
    def lifted(value: Any) -> Whole:
        """An int as a Whole."""
        return value if isinstance(value, Whole) else Whole(z3.IntVal(int(value)))

    def __add__(self, other: Any) -> Whole:
        return Whole(self.number + self.lifted(other).number)

    def __mul__(self, other: Any) -> Whole:
        return Whole(self.number * self.lifted(other).number)

    __radd__, __rmul__ = __add__, __mul__

    def compare(self, op: str, other: Any) -> Flag:
        """As of Term."""
        return Flag(getattr(self.number, op)(self.lifted(other).number))


def pick(condition: z3.BoolRef, a: Any, b: Any) -> Term:
    """``a if condition else b``, of numbers."""
    if isinstance(a, Whole) or isinstance(b, Whole):
        return Whole(z3.If(condition, Whole.lifted(a).number, Whole.lifted(b).number))
    x, y = as_term(a), as_term(b)
    width = max(x.bits.size(), y.bits.size())
    bits = z3.If(condition, x.at(width), y.at(width))
    return Term(bits, min(x.low, y.low), max(x.high, y.high))
