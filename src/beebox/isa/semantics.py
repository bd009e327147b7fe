"""What each operation on integers means: the one definition.

The interpreter runs it, the verifier folds constants with it, the JIT is tested against it.
Values are unsigned Python integers below ``1 << bits``, for operands and results alike; ``bits``
is 32 or 64 and a wider operand is cut to it first. Source: RFC 9669, section 4.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Final, TypeAlias, assert_never

from beebox.errors import InternalError
from beebox.tables.opcodes import AluOp, JmpOp

AluFunction: TypeAlias = Callable[[int, int], int]
CompareFunction: TypeAlias = Callable[[int, int], bool]

_BYTE_ORDER: Final = {"le": False, "be": True, "bswap": True}  # what swaps, on a little-endian CPU


def to_signed(value: int, bits: int) -> int:
    """The low ``bits`` of ``value`` read as two's complement."""
    sign = 1 << (bits - 1)
    return ((value & ((1 << bits) - 1)) ^ sign) - sign


def to_unsigned(value: int, bits: int) -> int:
    """The low ``bits`` of ``value``, which may be negative."""
    return value & ((1 << bits) - 1)


def sign_extend(value: int, source_bits: int, bits: int) -> int:
    """The low ``source_bits`` of ``value``, sign-extended to an unsigned value of ``bits``."""
    return to_signed(value, source_bits) & ((1 << bits) - 1)


def alu(op: AluOp, dst: int, src: int, bits: int) -> int:
    """Apply ``op``: division by zero gives 0, modulo by zero ``dst``; shifts count modulo ``bits``.

    Signed division truncates toward zero; the smallest integer by -1 is itself, remainder 0.
    """
    return alu_function(op, bits)(dst, src)


def compare(op: JmpOp, a: int, b: int, bits: int) -> bool:
    """Whether ``a op b`` holds on the low ``bits`` of both."""
    return compare_function(op, bits)(a, b)


def swap(to: str, bits: int, value: int) -> int:
    """Byte order on a little-endian machine: the low ``bits`` of ``value``, zero-extended."""
    value &= (1 << bits) - 1
    if _BYTE_ORDER[to]:
        return int.from_bytes(value.to_bytes(bits // 8, "little"), "big")
    return value


@cache
def alu_function(op: AluOp, bits: int) -> AluFunction:
    """:func:`alu` for one ``op`` and width: ``(dst, src) -> result``, for code that runs often."""
    if bits not in (32, 64):
        raise InternalError(f"arithmetic on {bits} bits")
    mask = (1 << bits) - 1
    low = bits - 1
    match op:
        case AluOp.ADD:
            return lambda dst, src: (dst + src) & mask
        case AluOp.SUB:
            return lambda dst, src: (dst - src) & mask
        case AluOp.MUL:
            return lambda dst, src: (dst * src) & mask
        case AluOp.DIV:
            return lambda dst, src: (dst & mask) // (src & mask) if src & mask else 0
        case AluOp.MOD:
            return lambda dst, src: (dst & mask) % (src & mask) if src & mask else dst & mask
        case AluOp.SDIV:
            return _signed_division(bits)
        case AluOp.SMOD:
            return _signed_modulo(bits)
        case AluOp.OR:
            return lambda dst, src: (dst | src) & mask
        case AluOp.AND:
            return lambda dst, src: dst & src & mask
        case AluOp.XOR:
            return lambda dst, src: (dst ^ src) & mask
        case AluOp.LSH:
            return lambda dst, src: (dst << (src & low)) & mask
        case AluOp.RSH:
            return lambda dst, src: (dst & mask) >> (src & low)
        case AluOp.ARSH:
            return lambda dst, src: (to_signed(dst, bits) >> (src & low)) & mask
        case AluOp.NEG:
            return lambda dst, _src: -dst & mask
        case AluOp.MOV:
            return lambda _dst, src: src & mask
        case AluOp.MOVSX8 | AluOp.MOVSX16 | AluOp.MOVSX32:
            return _sign_extension(op.value.sign_extends, mask)
        case _:
            assert_never(op)


@cache
def compare_function(op: JmpOp, bits: int) -> CompareFunction:
    """:func:`compare` for one ``op`` and width: ``(a, b) -> bool``."""
    if bits not in (32, 64):
        raise InternalError(f"a comparison of {bits} bits")
    mask = (1 << bits) - 1
    sign = 1 << (bits - 1)  # adding it (modulo 1 << bits) turns signed order into unsigned order
    match op:
        case JmpOp.EQ:
            return lambda a, b: not (a ^ b) & mask
        case JmpOp.NE:
            return lambda a, b: (a ^ b) & mask != 0
        case JmpOp.SET:
            return lambda a, b: a & b & mask != 0
        case JmpOp.GT:
            return lambda a, b: a & mask > b & mask
        case JmpOp.GE:
            return lambda a, b: a & mask >= b & mask
        case JmpOp.LT:
            return lambda a, b: a & mask < b & mask
        case JmpOp.LE:
            return lambda a, b: a & mask <= b & mask
        case JmpOp.SGT:
            return lambda a, b: (a + sign) & mask > (b + sign) & mask
        case JmpOp.SGE:
            return lambda a, b: (a + sign) & mask >= (b + sign) & mask
        case JmpOp.SLT:
            return lambda a, b: (a + sign) & mask < (b + sign) & mask
        case JmpOp.SLE:
            return lambda a, b: (a + sign) & mask <= (b + sign) & mask
        case _:
            assert_never(op)


def _sign_extension(source_bits: int, mask: int) -> AluFunction:
    source_mask = (1 << source_bits) - 1
    sign = 1 << (source_bits - 1)
    return lambda _dst, src: (((src & source_mask) ^ sign) - sign) & mask


def _signed_division(bits: int) -> AluFunction:
    def divide(dst: int, src: int) -> int:
        dividend, divisor = to_signed(dst, bits), to_signed(src, bits)
        if divisor == 0:
            return 0
        quotient = abs(dividend) // abs(divisor)
        return to_unsigned(quotient if (dividend < 0) == (divisor < 0) else -quotient, bits)

    return divide


def _signed_modulo(bits: int) -> AluFunction:
    def modulo(dst: int, src: int) -> int:
        dividend, divisor = to_signed(dst, bits), to_signed(src, bits)
        if divisor == 0:
            return to_unsigned(dst, bits)
        remainder = abs(dividend) % abs(divisor)
        return to_unsigned(-remainder if dividend < 0 else remainder, bits)

    return modulo
