"""Arithmetic on abstract numbers: what an ALU instruction makes of two scalars.

Every function is an over-approximation: a concrete result of members of the operands is a member of
the result. Results follow Linux 6.18, which learns nothing from division: being more precise than
the kernel would change verdicts.
"""

from __future__ import annotations

from typing import Final

from beebox.isa.semantics import alu as concrete_alu
from beebox.tables.opcodes import AluOp
from beebox.verifier import tnum
from beebox.verifier.scalar import (
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
    of_size,
    signed_range,
)

_NUMBER: Final = {op: index for index, op in enumerate(AluOp)}
_UNKNOWN: Final = frozenset({AluOp.DIV, AluOp.SDIV, AluOp.MOD, AluOp.SMOD})
_memo: dict[tuple[int, int, int], Scalar] = {}


def forget() -> None:
    """Empty the memo table (its keys are the uids of interned scalars)."""
    _memo.clear()


def alu(op: AluOp, x: Scalar, y: Scalar, *, wide: bool) -> Scalar:
    """``x op y`` on 64 bits, or on 32 with a zero-extended result."""
    if op in _UNKNOWN:
        return ANY if wide else of_size(4)
    if x.is_const and y.is_const:
        full, bits = (U64, 64) if wide else (U32, 32)
        return const(concrete_alu(op, x.value & full, y.value & full, bits))
    key = (x.uid, y.uid, _NUMBER[op] << 1 | wide)
    found = _memo.get(key)
    if found is None:
        found = _memo[key] = _alu(op, x, y, wide=wide)
    return found


def zero_extend(x: Scalar) -> Scalar:
    """The low 32 bits of ``x``, as a 64-bit number."""
    if x.umax <= U32:
        return x
    low = (x.u32_min, x.u32_max, x.s32_min, x.s32_max)
    return make(x.value & U32, x.mask & U32, x.u32_min, x.u32_max, S64_MIN, S64_MAX, *low)


def sign_extend(x: Scalar, bits: int, *, wide: bool) -> Scalar:
    """The low ``bits`` of ``x``, sign-extended to 64 bits or to 32 and then zero-extended."""
    sign = 1 << (bits - 1)
    low, high = -sign, sign - 1
    if bits == 32:
        low, high = x.s32_min, x.s32_max
    elif low <= x.smin and x.smax <= high:
        low, high = x.smin, x.smax
    widened = signed_range(low, high)
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
            return sign_extend(y, op.value.offset, wide=wide)
        case AluOp.NEG:
            return _alu(AluOp.SUB, const(0), x, wide=wide)
        case _:
            pass
    a, b = _Half(x, wide=wide), _Half(y, wide=wide)
    full, bits = (U64, 64) if wide else (U32, 32)
    least, most = (S64_MIN, S64_MAX) if wide else (S32_MIN, S32_MAX)
    value, mask, umin, umax, smin, smax = 0, full, 0, full, least, most
    match op:
        case AluOp.ADD:
            value, mask = tnum.add(a.value, a.mask, b.value, b.mask, full)
            umin, umax = _wrap_high(a.umin + b.umin, a.umax + b.umax, full)
            smin, smax = _within(a.smin + b.smin, a.smax + b.smax, least, most)
        case AluOp.SUB:
            value, mask = tnum.sub(a.value, a.mask, b.value, b.mask, full)
            umin, umax = _wrap_low(a.umin - b.umax, a.umax - b.umin, full)
            smin, smax = _within(a.smin - b.smax, a.smax - b.smin, least, most)
        case AluOp.MUL:
            value, mask = tnum.mul(a.value, a.mask, b.value, b.mask, full)
            if a.umax * b.umax <= full:
                umin, umax = a.umin * b.umin, a.umax * b.umax
            corners = [p * q for p in (a.smin, a.smax) for q in (b.smin, b.smax)]
            smin, smax = _within(min(corners), max(corners), least, most)
        case AluOp.AND:
            value = a.value & b.value
            mask = (a.value | a.mask) & (b.value | b.mask) & ~value
            umin, umax = value, min(a.umax, b.umax)
        case AluOp.OR:
            value = a.value | b.value
            mask = (a.mask | b.mask) & ~value
            umin, umax = max(a.umin, b.umin), value | mask
        case AluOp.XOR:
            mask = a.mask | b.mask
            value = (a.value ^ b.value) & ~mask
            umin, umax = value, value | mask
        case AluOp.LSH if b.umax < bits:
            if b.mask == 0:
                value, mask = a.value << b.value & full, a.mask << b.value & full
            else:
                value, mask = 0, full & ~((1 << b.umin) - 1)
            if a.umax <= full >> b.umax:
                umin, umax = a.umin << b.umin, a.umax << b.umax
            if wide and b.mask == 0 and b.value == 32:
                # `<<= 32; s>>= 32` sign-extends: keep the low half's signed range
                smin, smax = x.s32_min << 32, x.s32_max << 32
        case AluOp.RSH if b.umax < bits:
            if b.mask == 0:
                value, mask = a.value >> b.value, a.mask >> b.value
            else:
                value, mask = 0, full >> b.umin
            umin, umax = a.umin >> b.umax, a.umax >> b.umin
        case AluOp.ARSH if b.mask == 0 and b.umax < bits:
            ext, sign = full ^ (full >> b.value), 1 << (bits - 1)
            value = a.value >> b.value | (ext if a.value & sign else 0)
            mask = a.mask >> b.value | (ext if a.mask & sign else 0)
            smin, smax = a.smin >> b.value, a.smax >> b.value
        case _:
            pass  # a shift by an amount that may be too large: anything
    if not wide:
        return make(value, mask, umin, umax, S64_MIN, S64_MAX, umin, umax, smin, smax)
    if op in (AluOp.ADD, AluOp.SUB):
        return make(value, mask, umin, umax, smin, smax, *_low_half(op, x, y))
    return make(value, mask, umin, umax, smin, smax)


def _low_half(op: AluOp, x: Scalar, y: Scalar) -> tuple[int, int, int, int]:
    """The 32-bit ranges of a 64-bit sum or difference."""
    if op is AluOp.ADD:
        low, high = _wrap_high(x.u32_min + y.u32_min, x.u32_max + y.u32_max, U32)
        slow, shigh = x.s32_min + y.s32_min, x.s32_max + y.s32_max
    else:
        low, high = _wrap_low(x.u32_min - y.u32_max, x.u32_max - y.u32_min, U32)
        slow, shigh = x.s32_min - y.s32_max, x.s32_max - y.s32_min
    return (low, high, *_within(slow, shigh, S32_MIN, S32_MAX))


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
