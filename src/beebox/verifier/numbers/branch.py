"""Comparisons of abstract numbers: which way a jump goes, and what each side then knows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from beebox.tables.opcodes import JmpOp
from beebox.verifier.numbers.scalar import EMPTY, U32, Scalar, make, s32, s64


@dataclass(frozen=True, slots=True)
class Outcome:
    """``taken`` is True or False when decided, else None; then both operands on each side."""

    taken: bool | None
    x_jump: Scalar
    y_jump: Scalar
    x_fall: Scalar
    y_fall: Scalar


_OPPOSITE = {
    JmpOp.EQ: JmpOp.NE,
    JmpOp.NE: JmpOp.EQ,
    JmpOp.GT: JmpOp.LE,
    JmpOp.LE: JmpOp.GT,
    JmpOp.GE: JmpOp.LT,
    JmpOp.LT: JmpOp.GE,
    JmpOp.SGT: JmpOp.SLE,
    JmpOp.SLE: JmpOp.SGT,
    JmpOp.SGE: JmpOp.SLT,
    JmpOp.SLT: JmpOp.SGE,
}
MIRROR = {
    JmpOp.GT: JmpOp.LT,
    JmpOp.LT: JmpOp.GT,
    JmpOp.GE: JmpOp.LE,
    JmpOp.LE: JmpOp.GE,
}
"""The unsigned comparison with its operands exchanged."""

_memo_64: Final[dict[JmpOp, dict[tuple[int, int], Outcome]]] = {op: {} for op in JmpOp}
_memo_32: Final[dict[JmpOp, dict[tuple[int, int], Outcome]]] = {op: {} for op in JmpOp}


def forget() -> None:
    """Empty the memo table (its keys are the uids of interned scalars)."""
    for memo in (*_memo_64.values(), *_memo_32.values()):
        memo.clear()


def branch(op: JmpOp, x: Scalar, y: Scalar, *, wide: bool, itself: bool = False) -> Outcome:
    """Compare on 64 bits, or on the low 32; ``itself``: both operands are one register."""
    if itself:
        return _branch(op, x, x, wide=wide, itself=True)
    memo = (_memo_64 if wide else _memo_32)[op]
    key = (x.uid, y.uid)
    found = memo.get(key)
    if found is None:
        found = memo[key] = _branch(op, x, y, wide=wide)
    return found


def _branch(op: JmpOp, x: Scalar, y: Scalar, *, wide: bool, itself: bool = False) -> Outcome:
    if op is JmpOp.SET and _View(y, wide=wide).mask and not _View(x, wide=wide).mask:
        same = _branch(op, y, x, wide=wide)  # the rules want the constant on the right
        return Outcome(same.taken, same.y_jump, same.x_jump, same.y_fall, same.x_fall)
    taken = _decide(op, _View(x, wide=wide), _View(y, wide=wide))
    if taken is None and wide and op in (JmpOp.EQ, JmpOp.NE) and _low_halves_differ(x, y):
        taken = op is JmpOp.NE
    if taken is not None:
        return Outcome(taken, x, y, x, y)
    x_jump, y_jump = _assume(op, x, y, wide=wide, itself=itself)
    if op is JmpOp.SET:
        x_fall, y_fall = _assume_clear(x, y, wide=wide), y
    else:
        x_fall, y_fall = _assume(_OPPOSITE[op], x, y, wide=wide, itself=itself)
    return Outcome(None, x_jump, y_jump, x_fall, y_fall)


def _low_halves_differ(x: Scalar, y: Scalar) -> bool:
    return (
        x.u32_min > y.u32_max
        or x.u32_max < y.u32_min
        or x.s32_min > y.s32_max
        or x.s32_max < y.s32_min
    )


class _View:
    """The compared half of a scalar, free to be narrowed."""

    __slots__ = ("mask", "smax", "smin", "umax", "umin", "value")

    def __init__(self, x: Scalar, *, wide: bool) -> None:
        if wide:
            self.value, self.mask, self.umin, self.umax = x.value, x.mask, x.umin, x.umax
            self.smin, self.smax = x.smin, x.smax
        else:
            self.value, self.mask = x.value & U32, x.mask & U32
            self.umin, self.umax = x.u32_min, x.u32_max
            self.smin, self.smax = x.s32_min, x.s32_max

    def drop(self, number: int, *, wide: bool) -> None:
        """Exclude one number where it is an end of a range."""
        self.umin += self.umin == number
        self.umax -= self.umax == number
        signed = s64(number) if wide else s32(number)
        self.smin += self.smin == signed
        self.smax -= self.smax == signed

    def back(self, x: Scalar, *, wide: bool) -> Scalar:
        """``x`` narrowed to this view; where no number is left, what Linux goes on with."""
        mine = (self.value, self.mask, self.umin, self.umax, self.smin, self.smax)
        if wide:
            if mine == (x.value, x.mask, x.umin, x.umax, x.smin, x.smax):
                return x
            return _possible(*mine, x.u32_min, x.u32_max, x.s32_min, x.s32_max)
        if mine == (x.value & U32, x.mask & U32, x.u32_min, x.u32_max, x.s32_min, x.s32_max):
            return x
        value, mask = (x.value & ~U32) | self.value, (x.mask & ~U32) | self.mask
        return _possible(value, mask, x.umin, x.umax, x.smin, x.smax, *mine[2:])


def _possible(value: int, mask: int, *ranges: int) -> Scalar:
    """The scalar; where the views contradict, what Linux makes of them."""
    umin, umax, smin, smax, u32_min, u32_max, s32_min, s32_max = ranges
    value &= ~mask
    found = make(value, mask, umin, umax, smin, smax, u32_min, u32_max, s32_min, s32_max)
    if found is not EMPTY:
        return found
    return make(value, mask, umin, umax, smin, smax, u32_min, u32_max, s32_min, s32_max, force=True)


def _decide(op: JmpOp, a: _View, b: _View) -> bool | None:
    match op:
        case JmpOp.EQ | JmpOp.NE:
            if a.mask == 0 and b.mask == 0:
                equal = a.value == b.value
            elif (a.value ^ b.value) & ~(a.mask | b.mask) or (
                a.umin > b.umax or a.umax < b.umin or a.smin > b.smax or a.smax < b.smin
            ):
                equal = False
            else:
                return None
            return equal is (op is JmpOp.EQ)
        case JmpOp.SET:
            if b.mask:
                return None
            if a.value & b.value:
                return True
            return None if (a.value | a.mask) & b.value else False
        case JmpOp.GT:
            return _ordered(a.umin > b.umax, a.umax <= b.umin)
        case JmpOp.GE:
            return _ordered(a.umin >= b.umax, a.umax < b.umin)
        case JmpOp.LT:
            return _ordered(a.umax < b.umin, a.umin >= b.umax)
        case JmpOp.LE:
            return _ordered(a.umax <= b.umin, a.umin > b.umax)
        case JmpOp.SGT:
            return _ordered(a.smin > b.smax, a.smax <= b.smin)
        case JmpOp.SGE:
            return _ordered(a.smin >= b.smax, a.smax < b.smin)
        case JmpOp.SLT:
            return _ordered(a.smax < b.smin, a.smin >= b.smax)
        case JmpOp.SLE:
            return _ordered(a.smax <= b.smin, a.smin > b.smax)


def _ordered(always: bool, never: bool) -> bool | None:
    return True if always else False if never else None


def _assume_clear(x: Scalar, y: Scalar, *, wide: bool) -> Scalar:
    """``x & y == 0`` holds: the constant's bits are 0 in ``x``. Linux forgets the ranges."""
    b = _View(y, wide=wide)
    if b.mask:
        return x
    return make(x.value & ~b.value, x.mask & ~b.value)


def _assume(op: JmpOp, x: Scalar, y: Scalar, *, wide: bool, itself: bool) -> tuple[Scalar, Scalar]:
    """Both operands, given that ``x op y`` holds."""
    a = _View(x, wide=wide)
    b = a if itself else _View(y, wide=wide)
    match op:
        case JmpOp.EQ:
            a.umin = b.umin = max(a.umin, b.umin)
            a.umax = b.umax = min(a.umax, b.umax)
            a.smin = b.smin = max(a.smin, b.smin)
            a.smax = b.smax = min(a.smax, b.smax)
            mask = a.mask & b.mask
            a.value = b.value = (a.value | b.value) & ~mask
            a.mask = b.mask = mask
        case JmpOp.NE:
            if b.mask == 0:
                a.drop(b.value, wide=wide)
            elif a.mask == 0:
                b.drop(a.value, wide=wide)
        case JmpOp.SET:
            if b.mask == 0 and b.value and not b.value & (b.value - 1):
                a.value, a.mask = a.value | b.value, a.mask & ~b.value
        case JmpOp.LE:
            a.umax, b.umin = min(a.umax, b.umax), max(b.umin, a.umin)
        case JmpOp.LT:
            a.umax, b.umin = min(a.umax, b.umax - 1), max(b.umin, a.umin + 1)
        case JmpOp.GE:
            a.umin, b.umax = max(a.umin, b.umin), min(b.umax, a.umax)
        case JmpOp.GT:
            a.umin, b.umax = max(a.umin, b.umin + 1), min(b.umax, a.umax - 1)
        case JmpOp.SLE:
            a.smax, b.smin = min(a.smax, b.smax), max(b.smin, a.smin)
        case JmpOp.SLT:
            a.smax, b.smin = min(a.smax, b.smax - 1), max(b.smin, a.smin + 1)
        case JmpOp.SGE:
            a.smin, b.smax = max(a.smin, b.smin), min(b.smax, a.smax)
        case JmpOp.SGT:
            a.smin, b.smax = max(a.smin, b.smin + 1), min(b.smax, a.smax - 1)
    return a.back(x, wide=wide), b.back(y, wide=wide)
