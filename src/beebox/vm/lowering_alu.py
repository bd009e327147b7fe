"""Arithmetic, byte order and comparisons as LLVM text."""

from __future__ import annotations

from typing import Final

from beebox.isa.instruction import Alu, JumpIf, Operand, Reg, Swap
from beebox.tables.opcodes import AluOp, JmpOp
from beebox.vm.body import NUMBER, Body, Form
from beebox.vm.text import Text

_PLAIN: Final = {
    AluOp.ADD: "add",
    AluOp.SUB: "sub",
    AluOp.MUL: "mul",
    AluOp.OR: "or",
    AluOp.AND: "and",
    AluOp.XOR: "xor",
}
_SHIFTS: Final = {AluOp.LSH: "shl", AluOp.RSH: "lshr", AluOp.ARSH: "ashr"}
_DIVISIONS: Final = {
    AluOp.DIV: "udiv",
    AluOp.MOD: "urem",
    AluOp.SDIV: "sdiv",
    AluOp.SMOD: "srem",
}
_PREDICATES: Final = {
    JmpOp.EQ: "eq",
    JmpOp.NE: "ne",
    JmpOp.GT: "ugt",
    JmpOp.GE: "uge",
    JmpOp.LT: "ult",
    JmpOp.LE: "ule",
    JmpOp.SGT: "sgt",
    JmpOp.SGE: "sge",
    JmpOp.SLT: "slt",
    JmpOp.SLE: "sle",
}


def lower_alu(body: Body, pc: int, insn: Alu) -> None:
    """``dst = dst op src``; a pointer stays one through copies, additions and subtractions."""
    if insn.wide and (_copy_pointer(body, pc, insn) or _move_pointer(body, pc, insn)):
        return
    bits = 64 if insn.wide else 32
    source = _cut(body, pc, insn.src, bits)
    if insn.op is AluOp.MOV:
        result = source
    elif insn.op.value.sign_extends:
        result = sign_extend(body, source, insn.op.value.sign_extends, bits)
    else:
        result = operate(body, insn.op, _cut(body, pc, insn.dst, bits), source, bits)
    body.set_integer(insn.dst, result if insn.wide else body.value(f"zext i32 {result} to i64"))


def _copy_pointer(body: Body, pc: int, insn: Alu) -> bool:
    if insn.op is not AluOp.MOV or not isinstance(insn.src, Reg):
        return False
    form = body.form(pc, insn.src)
    if form.offset is not None:
        body.set_frame(insn.dst, form.offset)
    elif form.pointer:
        body.set_pointer(insn.dst, body.pointer(pc, insn.src))
    return form.pointer


def _move_pointer(body: Body, pc: int, insn: Alu) -> bool:
    """Pointer plus or minus a number, number plus a pointer. Two pointers are numbers here."""
    if insn.op not in {AluOp.ADD, AluOp.SUB}:
        return False
    left = body.form(pc, insn.dst)
    right = body.form(pc, insn.src) if isinstance(insn.src, Reg) else NUMBER
    if left.pointer == right.pointer or (right.pointer and insn.op is AluOp.SUB):
        return False
    if _stays_in_frame(body, pc, insn, left):
        return True
    if left.pointer:
        base, delta = body.pointer(pc, insn.dst), insn.src
    else:
        assert isinstance(insn.src, Reg)
        base, delta = body.pointer(pc, insn.src), insn.dst
    if isinstance(delta, Reg):
        amount = body.integer(pc, delta)
        if insn.op is AluOp.SUB:
            amount = body.value(f"sub i64 0, {amount}")
    else:
        amount = str(-delta if insn.op is AluOp.SUB else delta)
    body.set_pointer(insn.dst, body.value(f"getelementptr i8, ptr {base}, i64 {amount}"))
    return True


def _stays_in_frame(body: Body, pc: int, insn: Alu, left: Form) -> bool:
    """R10 plus a constant again: no code, only another slot."""
    after = body.form(pc + 1, insn.dst)
    if left.offset is not None and not isinstance(insn.src, Reg):
        delta = -insn.src if insn.op is AluOp.SUB else insn.src
        body.set_frame(insn.dst, left.offset + delta)
        return True
    if after.offset is not None:
        body.set_frame(insn.dst, after.offset)
        return True
    return False


def _cut(body: Body, pc: int, operand: Operand, bits: int) -> str:
    value = body.integer(pc, operand)
    if bits == 64 or not isinstance(operand, Reg):
        return value
    return body.value(f"trunc i64 {value} to i{bits}")


def sign_extend(out: Text, value: str, source_bits: int, bits: int) -> str:
    """The low ``source_bits`` of an i``bits``, sign-extended to an i``bits``."""
    if source_bits == bits:
        return value
    low = out.value(f"trunc i{bits} {value} to i{source_bits}")
    return out.value(f"sext i{source_bits} {low} to i{bits}")


def operate(out: Text, op: AluOp, a: str, b: str, bits: int) -> str:
    """``a op b`` on i``bits``; moves are no operation. Unary ones leave ``b`` alone."""
    if op is AluOp.NEG:
        return out.value(f"sub i{bits} 0, {a}")
    if op in _SHIFTS:
        count = out.value(f"and i{bits} {b}, {bits - 1}")
        return out.value(f"{_SHIFTS[op]} i{bits} {a}, {count}")
    if op in _DIVISIONS:
        return _divide(out, op, a, b, bits)
    return out.value(f"{_PLAIN[op]} i{bits} {a}, {b}")


def _divide(out: Text, op: AluOp, a: str, b: str, bits: int) -> str:
    """RFC 9669: by 0 the quotient is 0, the remainder ``a``; smallest / -1 wraps to itself.

    The divisor is replaced by 1 in those cases, where LLVM's division would be undefined.
    """
    signed = op in {AluOp.SDIV, AluOp.SMOD}
    quotient = op in {AluOp.DIV, AluOp.SDIV}
    zero = out.value(f"icmp eq i{bits} {b}, 0")
    special = zero
    minus_one = ""
    if signed:
        minus_one = out.value(f"icmp eq i{bits} {b}, -1")
        special = out.value(f"or i1 {zero}, {minus_one}")
    divisor = out.value(f"select i1 {special}, i{bits} 1, i{bits} {b}")
    result = out.value(f"{_DIVISIONS[op]} i{bits} {a}, {divisor}")
    if signed and quotient:
        negated = out.value(f"sub i{bits} 0, {a}")
        result = out.value(f"select i1 {minus_one}, i{bits} {negated}, i{bits} {result}")
    by_zero = "0" if quotient else a
    return out.value(f"select i1 {zero}, i{bits} {by_zero}, i{bits} {result}")


def lower_swap(body: Body, pc: int, insn: Swap) -> None:
    """Byte order on a little-endian host; the result is zero-extended."""
    body.set_integer(insn.dst, swap(body, body.integer(pc, insn.dst), insn))


def swap(out: Text, value: str, insn: Swap) -> str:
    """``insn`` applied to the i64 ``value``."""
    bits = insn.bits
    if bits < 64:
        value = out.value(f"trunc i64 {value} to i{bits}")
    if insn.to != "le":
        value = out.value(f"call i{bits} @llvm.bswap.i{bits}(i{bits} {value})")
    return out.value(f"zext i{bits} {value} to i64") if bits < 64 else value


def condition(body: Body, pc: int, insn: JumpIf) -> str:
    """The i1 that decides the jump; pointers are compared as pointers."""
    bits = 64 if insn.wide else 32
    if insn.wide and insn.op in _PREDICATES and body.form(pc, insn.dst).pointer:
        null = not isinstance(insn.src, Reg) and insn.src == 0
        if null or (isinstance(insn.src, Reg) and body.form(pc, insn.src).pointer):
            left = body.pointer(pc, insn.dst)
            right = body.pointer(pc, insn.src) if isinstance(insn.src, Reg) else "null"
            return body.value(f"icmp {_PREDICATES[insn.op]} ptr {left}, {right}")
    left, right = _cut(body, pc, insn.dst, bits), _cut(body, pc, insn.src, bits)
    return compare(body, insn.op, left, right, bits)


def compare(out: Text, op: JmpOp, left: str, right: str, bits: int) -> str:
    """The i1 ``left op right`` on i``bits``."""
    if op is JmpOp.SET:
        both = out.value(f"and i{bits} {left}, {right}")
        return out.value(f"icmp ne i{bits} {both}, 0")
    return out.value(f"icmp {_PREDICATES[op]} i{bits} {left}, {right}")
