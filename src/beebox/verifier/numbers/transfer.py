"""Arithmetic on abstract numbers: what an ALU instruction makes of two scalars.

Every function is an over-approximation: a concrete result of members of the operands is a member of
the result. Results follow Linux 6.18, which learns nothing from division: being more precise than
the kernel would change verdicts.
"""

from __future__ import annotations

from typing import Final

from beebox.isa.semantics import alu_function, to_signed
from beebox.isa.semantics import swap as concrete_swap
from beebox.tables.opcodes import AluOp
from beebox.verifier.numbers import tnum
from beebox.verifier.numbers.scalar import (
    ANY,
    S32_MAX,
    S32_MIN,
    S64_MAX,
    S64_MIN,
    U32,
    U64,
    Scalar,
    const,
    make,
)

_UNKNOWN: Final = frozenset({AluOp.DIV, AluOp.SDIV, AluOp.MOD, AluOp.SMOD})
_SHIFTS: Final = frozenset({AluOp.LSH, AluOp.RSH, AluOp.ARSH})
_ON_64: Final = {op: alu_function(op, 64) for op in AluOp}
_ON_32: Final = {op: alu_function(op, 32) for op in AluOp}
_memo_64: Final[dict[AluOp, dict[tuple[int, int], Scalar]]] = {op: {} for op in AluOp}
_memo_32: Final[dict[AluOp, dict[tuple[int, int], Scalar]]] = {op: {} for op in AluOp}


def forget() -> None:
    """Empty the memo table (its keys are the uids of interned scalars)."""
    for memo in (*_memo_64.values(), *_memo_32.values()):
        memo.clear()


def alu(op: AluOp, x: Scalar, y: Scalar, *, wide: bool) -> Scalar:
    """``x op y`` on 64 bits, or on 32 with a zero-extended result."""
    if op in _UNKNOWN or (op in _SHIFTS and y.umax >= (64 if wide else 32)):
        return ANY
    if x.is_const and y.is_const:
        exactly = (_ON_64 if wide else _ON_32)[op]
        return const(exactly(x.value, y.value))
    memo = (_memo_64 if wide else _memo_32)[op]
    key = (x.uid, y.uid)
    found = memo.get(key)
    if found is None:
        found = memo[key] = _alu(op, x, y, wide=wide)
    return found


def zero_extend(x: Scalar) -> Scalar:
    """The low 32 bits of ``x``, as a 64-bit number."""
    if x.umax <= U32:
        return x
    low = (x.u32_min, x.u32_max, x.s32_min, x.s32_max)
    return make(x.value & U32, x.mask & U32, x.u32_min, x.u32_max, S64_MIN, S64_MAX, *low)


def truncate(x: Scalar, size_bytes: int) -> Scalar:
    """The low 1, 2, 4 or 8 bytes of ``x``, as a 64-bit number: Linux's ``coerce_reg_to_size``."""
    full = (1 << 8 * size_bytes) - 1
    if x.umax <= full:
        return x
    if size_bytes == 4:
        return zero_extend(x)
    umin, umax = 0, full
    if x.umin & ~full == x.umax & ~full:
        umin, umax = x.umin & full, x.umax & full
    return make(x.value & full, x.mask & full, umin, umax)


def swap(x: Scalar, to: str, bits: int) -> Scalar:
    """The byte order changed: which bits are known survives, ranges only where none move."""
    if concrete_swap(to, 16, 1) == 1:
        return truncate(x, bits // 8)
    return make(concrete_swap(to, bits, x.value), concrete_swap(to, bits, x.mask))


def sign_extend(x: Scalar, bits: int, *, wide: bool) -> Scalar:
    """The low ``bits`` of ``x``, sign-extended to 64 bits or to 32 and then zero-extended.

    As in Linux, ranges survive only when sign extension cannot reorder them.
    """
    low, high = (x.smin, x.smax) if wide else (x.s32_min, x.s32_max)
    same_top = low >> bits == high >> bits
    low, high = to_signed(low, bits), to_signed(high, bits)
    if not same_top or (low < 0) != (high < 0):
        low, high = -(1 << (bits - 1)), (1 << (bits - 1)) - 1
    widened = make(0, U64, 0, U64, low, high, 0, U32, low, high)
    return widened if wide else zero_extend(widened)


class _Half:
    """The operand as the operation sees it: 64-bit views, or 32-bit ones."""

    __slots__ = ("mask", "smax", "smin", "umax", "umin", "value")

    def __init__(self, x: Scalar, *, wide: bool) -> None:
        if wide:
            self.value, self.mask, self.umin, self.umax = x.value, x.mask, x.umin, x.umax
            self.smin, self.smax = x.smin, x.smax
        else:
            self.value, self.mask = x.value & U32, x.mask & U32
            self.umin, self.umax, self.smin, self.smax = (
                x.u32_min,
                x.u32_max,
                x.s32_min,
                x.s32_max,
            )


def _alu(op: AluOp, x: Scalar, y: Scalar, *, wide: bool) -> Scalar:
    match op:
        case AluOp.MOV:
            return y if wide else zero_extend(y)
        case AluOp.MOVSX8 | AluOp.MOVSX16 | AluOp.MOVSX32:
            return sign_extend(y, op.value.sign_extends, wide=wide)
        case AluOp.NEG:
            return _alu(AluOp.SUB, const(0), x, wide=wide)
        case _:
            pass
    bits = 64 if wide else 32
    a, b = _Half(x, wide=wide), _Half(y, wide=wide)
    if op in _SHIFTS and b.mask:
        return ANY
    value, mask = _bits(op, a, b, U64 if wide else U32)
    umin, umax, smin, smax = _ranges(op, a, b, value, mask, bits)
    if not wide:
        return make(value, mask, umin, umax, S64_MIN, S64_MAX, umin, umax, smin, smax)
    if op in (AluOp.RSH, AluOp.ARSH):  # other bits come in from above
        return make(value, mask, umin, umax, smin, smax)
    if op is AluOp.LSH and b.value == 32:
        # `<<= 32; s>>= 32` sign-extends: keep the low half's signed range
        smin, smax = x.s32_min << 32, x.s32_max << 32
    low_a, low_b = _Half(x, wide=False), _Half(y, wide=False)
    low = _ranges(op, low_a, low_b, value & U32, mask & U32, 32)
    return make(value, mask, umin, umax, smin, smax, *low)


def _bits(op: AluOp, a: _Half, b: _Half, full: int) -> tuple[int, int]:
    """The tnum of the result. A shift's amount is a constant."""
    match op:
        case AluOp.ADD:
            return tnum.add(a.value, a.mask, b.value, b.mask, full)
        case AluOp.SUB:
            return tnum.sub(a.value, a.mask, b.value, b.mask, full)
        case AluOp.MUL:
            return tnum.mul(a.value, a.mask, b.value, b.mask, full)
        case AluOp.AND:
            value = a.value & b.value
            return value, (a.value | a.mask) & (b.value | b.mask) & ~value
        case AluOp.OR:
            value = a.value | b.value
            return value, (a.mask | b.mask) & ~value
        case AluOp.XOR:
            mask = a.mask | b.mask
            return (a.value ^ b.value) & ~mask, mask
        case AluOp.LSH:
            return a.value << b.value & full, a.mask << b.value & full
        case AluOp.RSH:
            return a.value >> b.value, a.mask >> b.value
        case AluOp.ARSH:
            sign, ext = full ^ (full >> 1), full ^ (full >> b.value)
            value = a.value >> b.value | (ext if a.value & sign else 0)
            return value, a.mask >> b.value | (ext if a.mask & sign else 0)
        case _:
            return 0, full


def _ranges(
    op: AluOp, a: _Half, b: _Half, value: int, mask: int, bits: int
) -> tuple[int, int, int, int]:
    """``(umin, umax, smin, smax)`` of the result; ``value``, ``mask`` is its tnum."""
    full, least, most = (U64, S64_MIN, S64_MAX) if bits == 64 else (U32, S32_MIN, S32_MAX)
    match op:
        case AluOp.ADD:
            umin, umax = _wrap_high(a.umin + b.umin, a.umax + b.umax, full)
            return (umin, umax, *_within(a.smin + b.smin, a.smax + b.smax, least, most))
        case AluOp.SUB:
            umin, umax = _wrap_low(a.umin - b.umax, a.umax - b.umin, full)
            return (umin, umax, *_within(a.smin - b.smax, a.smax - b.smin, least, most))
        case AluOp.MUL:
            corners = [p * q for p in (a.smin, a.smax) for q in (b.smin, b.smax)]
            smin, smax = _within(min(corners), max(corners), least, most)
            if a.umax * b.umax <= full:
                return a.umin * b.umin, a.umax * b.umax, smin, smax
            return 0, full, smin, smax
        case AluOp.AND:
            return value, min(a.umax, b.umax), least, most
        case AluOp.OR:
            return max(a.umin, b.umin), value | mask, least, most
        case AluOp.XOR:
            return value, value | mask, least, most
        case AluOp.LSH if b.umax < bits and a.umax <= 1 << (bits - 1 - b.umax):
            return a.umin << b.umin, a.umax << b.umax, least, most
        case AluOp.RSH:
            return a.umin >> b.umax, a.umax >> b.umin, least, most
        case AluOp.ARSH:
            return 0, full, a.smin >> b.value, a.smax >> b.value
        case _:
            return 0, full, least, most


def _wrap_high(low: int, high: int, full: int) -> tuple[int, int]:
    """A range that wraps as a whole stays a range; one that wraps in part is lost."""
    if low > full:
        return low & full, high & full
    return (0, full) if high > full else (low, high)


def _wrap_low(low: int, high: int, full: int) -> tuple[int, int]:
    if high < 0:
        return low & full, high & full
    return (0, full) if low < 0 else (low, high)


def _within(low: int, high: int, least: int, most: int) -> tuple[int, int]:
    return (low, high) if least <= low and high <= most else (least, most)
