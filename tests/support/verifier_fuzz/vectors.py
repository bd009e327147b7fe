"""The machine's arithmetic on arrays: what ``beebox.isa.semantics`` says of one number, of many."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from beebox.tables.opcodes import AluOp, JmpOp

Numbers = NDArray[np.uint64]

U32: Final = np.uint64((1 << 32) - 1)
_ONE: Final = np.uint64(1)
_SIGNED: Final = {
    JmpOp.SGT: np.greater,
    JmpOp.SGE: np.greater_equal,
    JmpOp.SLT: np.less,
    JmpOp.SLE: np.less_equal,
}
_UNSIGNED: Final = {
    JmpOp.EQ: np.equal,
    JmpOp.NE: np.not_equal,
    JmpOp.GT: np.greater,
    JmpOp.GE: np.greater_equal,
    JmpOp.LT: np.less,
    JmpOp.LE: np.less_equal,
}


def constant(number: int, count: int) -> Numbers:
    """``number`` (its low 64 bits), ``count`` times."""
    return np.full(count, number & ((1 << 64) - 1), np.uint64)


def signed(x: Numbers, bits: int) -> NDArray[np.int64]:
    """The low ``bits`` as signed numbers."""
    if bits == 64:
        return x.view(np.int64)
    return (x << np.uint64(64 - bits)).view(np.int64) >> np.int64(64 - bits)


def sign_extend(x: Numbers, bits: int, to: int) -> Numbers:
    """The low ``bits`` of ``x``, sign-extended to 64 bits, or to 32 and then zero-extended."""
    wide = signed(x, bits).view(np.uint64)
    return wide if to == 64 else wide & U32


def alu(op: AluOp, x: Numbers, y: Numbers, bits: int) -> Numbers:
    """``x op y`` on 64 bits, or on 32 with a zero-extended result."""
    full = np.uint64((1 << bits) - 1)
    x, y = x & full, y & full
    amount = y & np.uint64(bits - 1)
    match op:
        case AluOp.ADD:
            out = x + y
        case AluOp.SUB:
            out = x - y
        case AluOp.MUL:
            out = x * y
        case AluOp.OR:
            out = x | y
        case AluOp.AND:
            out = x & y
        case AluOp.XOR:
            out = x ^ y
        case AluOp.MOV:
            out = y
        case AluOp.NEG:
            out = np.uint64(0) - x
        case AluOp.LSH:
            out = x << amount
        case AluOp.RSH:
            out = x >> amount
        case AluOp.ARSH:
            out = (signed(x, bits) >> amount.view(np.int64)).view(np.uint64)
        case AluOp.DIV:
            out = np.where(y == 0, np.uint64(0), x // np.maximum(y, _ONE))
        case AluOp.MOD:
            out = np.where(y == 0, x, x % np.maximum(y, _ONE))
        case AluOp.SDIV | AluOp.SMOD:
            below, over = signed(x, bits) < 0, signed(y, bits) < 0
            one = np.where(below, np.uint64(0) - x, x) & full
            two = np.maximum(np.where(over, np.uint64(0) - y, y) & full, _ONE)
            if op is AluOp.SDIV:
                out = np.where(below != over, np.uint64(0) - one // two, one // two)
                out = np.where(y == 0, np.uint64(0), out)
            else:
                out = np.where(below, np.uint64(0) - one % two, one % two)
                out = np.where(y == 0, x, out)
        case AluOp.MOVSX8 | AluOp.MOVSX16 | AluOp.MOVSX32:
            out = sign_extend(y, op.value.sign_extends, 64)
    return out & full


def compare(op: JmpOp, x: Numbers, y: Numbers, bits: int) -> NDArray[np.bool_]:
    """Where ``x op y`` holds."""
    if op is JmpOp.SET:
        return (x & y & np.uint64((1 << bits) - 1)) != 0
    if op in _SIGNED:
        return _SIGNED[op](signed(x, bits), signed(y, bits))
    full = np.uint64((1 << bits) - 1)
    return _UNSIGNED[op](x & full, y & full)


def swap(to: str, bits: int, x: Numbers) -> Numbers:
    """The low ``bits`` in another byte order, on a little-endian machine."""
    low = x & np.uint64((1 << bits) - 1)
    if to == "le":
        return low
    return low.byteswap() >> np.uint64(64 - bits)
