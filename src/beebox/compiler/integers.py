"""The fixed-width integers as CPython runs them: what the compiled program does.

Arithmetic wraps to the wider operand's width; a plain ``int`` adapts to the other side; mixed signs
and ``/`` raise TypeError, as the compiler refuses them. Shift counts are masked to the width, as in
BPF (RFC 9669 section 4.1). mypy sees these types as ``int`` (``compiler.language``).
"""

from __future__ import annotations

from collections.abc import Callable
from operator import add, and_, floordiv, lshift, mod, mul, or_, rshift, sub, xor
from typing import Any, ClassVar, Self


class FixedInt(int):
    """An integer of ``bits`` bits; construction wraps."""

    bits: ClassVar[int] = 64
    signed: ClassVar[bool] = False

    def __new__(cls, value: int = 0) -> Self:
        """``value`` wrapped to this type's range."""
        wrapped = int(value) & ((1 << cls.bits) - 1)
        if cls.signed and wrapped >> (cls.bits - 1):
            wrapped -= 1 << cls.bits
        return super().__new__(cls, wrapped)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({int(self)})"

    __str__ = int.__repr__

    def __truediv__(self, other: Any) -> Any:
        raise TypeError("/ makes fractions; write //")

    __rtruediv__ = __truediv__

    def __neg__(self) -> Self:
        return type(self)(-int(self))

    def __invert__(self) -> Self:
        return type(self)(~int(self))

    def __abs__(self) -> Self:
        return type(self)(abs(int(self)))


def _common(left: FixedInt, right: Any) -> type[FixedInt] | None:
    """The wider of two types of one sign; the fixed one's when the other is a plain int."""
    if not isinstance(right, FixedInt):
        return type(left) if isinstance(right, int) else None
    if left.signed != right.signed:
        raise TypeError(f"{type(left).__name__} and {type(right).__name__} mix signs")
    return type(left) if left.bits >= right.bits else type(right)


def _binary(operation: Callable[[int, int], int], *, reflected: bool) -> Callable[..., Any]:
    def method(self: FixedInt, other: Any) -> Any:
        result = _common(self, other)
        if result is None:
            return NotImplemented
        left, right = (int(other), int(self)) if reflected else (int(self), int(other))
        return result(operation(left, right))

    return method


def _shift(operation: Callable[[int, int], int], *, reflected: bool) -> Callable[..., Any]:
    def method(self: FixedInt, other: Any) -> Any:
        if not isinstance(other, int):
            return NotImplemented
        left, count = (type(self)(other), self) if reflected else (self, other)
        return type(left)(operation(int(left), int(count) & (left.bits - 1)))

    return method


def _divide(operation: Callable[[int, int], int], *, reflected: bool) -> Callable[..., Any]:
    """Unsigned only; by zero the quotient is 0 and the remainder the dividend (RFC 9669)."""

    def method(self: FixedInt, other: Any) -> Any:
        result = _common(self, other)
        if result is None:
            return NotImplemented
        if result.signed:
            raise TypeError("// and % on signed integers differ between Python and BPF")
        left, right = (int(other), int(self)) if reflected else (int(self), int(other))
        if right == 0:
            return result(0 if operation is floordiv else left)
        return result(operation(left, right))

    return method


for _name, _operation, _make in (
    ("add", add, _binary),
    ("sub", sub, _binary),
    ("mul", mul, _binary),
    ("and", and_, _binary),
    ("or", or_, _binary),
    ("xor", xor, _binary),
    ("lshift", lshift, _shift),
    ("rshift", rshift, _shift),
    ("floordiv", floordiv, _divide),
    ("mod", mod, _divide),
):
    setattr(FixedInt, f"__{_name}__", _make(_operation, reflected=False))
    setattr(FixedInt, f"__r{_name}__", _make(_operation, reflected=True))


class u8(FixedInt):
    """0 to 2**8 - 1."""

    bits = 8


class u16(FixedInt):
    """0 to 2**16 - 1."""

    bits = 16


class u32(FixedInt):
    """0 to 2**32 - 1."""

    bits = 32


class u64(FixedInt):
    """0 to 2**64 - 1."""


class i8(FixedInt):
    """-2**7 to 2**7 - 1."""

    bits = 8
    signed = True


class i16(FixedInt):
    """-2**15 to 2**15 - 1."""

    bits = 16
    signed = True


class i32(FixedInt):
    """-2**31 to 2**31 - 1."""

    bits = 32
    signed = True


class i64(FixedInt):
    """-2**63 to 2**63 - 1."""

    signed = True


class be16(u16):
    """A u16 stored in network byte order: only as the type of a field or of packet bytes."""


class be32(u32):
    """A u32 stored in network byte order."""


class be64(u64):
    """A u64 stored in network byte order."""


INTEGERS: tuple[type[FixedInt], ...] = (u8, u16, u32, u64, i8, i16, i32, i64)
BIG_ENDIAN: tuple[type[FixedInt], ...] = (be16, be32, be64)
