"""Programs with one to three small changes: another register, offset, constant, operation, width.

What a change breaks is spread over all rules, also those that no generator thinks of.
"""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Final

from beebox.isa.instruction import (
    Alu,
    Atomic,
    Call,
    CallKind,
    Exit,
    Instruction,
    JumpIf,
    Load,
    LoadImm64,
    Reg,
    Store,
    Swap,
)
from beebox.obj.model import ProgramSpec
from beebox.tables.opcodes import AluOp, AtomicOp, JmpOp, Size
from verifier_fuzz import edits
from verifier_fuzz.edits import Parts

_REGISTERS: Final = tuple(Reg(number) for number in range(11))
_NUMBERS: Final = (
    0, 1, -1, 2, 3, 4, 7, 8, 12, 15, 16, 20, 31, 32, 63, 64, 255, 256, 0xFFFF, 0x10000, 0x1FFFFFFF,
    0x20000000, 0x7FFFFFFF, -0x80000000, -2, -8, -16, -512, -520,
)  # fmt: skip
_STEPS: Final = (-8, -4, -1, 1, 4, 8)
_PLAIN: Final = tuple(op for op in AluOp if not op.value.unary and not op.value.sign_extends)
_MOVES: Final = (AluOp.MOV, AluOp.MOVSX8, AluOp.MOVSX16, AluOp.MOVSX32)
_SHIFTS: Final = (AluOp.LSH, AluOp.RSH, AluOp.ARSH)
_DIVISIONS: Final = (AluOp.DIV, AluOp.SDIV, AluOp.MOD, AluOp.SMOD)
_RMW: Final = tuple(
    op for op in AtomicOp if op not in (AtomicOp.LOAD_ACQUIRE, AtomicOp.STORE_RELEASE)
)


def mutated(spec: ProgramSpec, seed: int) -> ProgramSpec:
    """``spec`` with one to three changes that ``seed`` draws."""
    pick = random.Random(seed * 2 + 1)
    parts = edits.take_apart(spec)
    for _ in range(pick.choice((1, 1, 1, 2, 2, 3))):
        parts = _changed(parts, pick)
    return edits.put_together(spec, parts)


def _changed(parts: Parts, pick: random.Random) -> Parts:
    index = pick.randrange(len(parts.insns))
    kind = pick.random()
    if kind < 0.12 and len(parts.insns) > 3:
        return edits.without(parts, (index,))
    if kind < 0.18:
        source = pick.randrange(len(parts.insns))
        if parts.targets[source] is None and not isinstance(parts.insns[source], Exit):
            return edits.inserted(parts, index, parts.insns[source])
        return parts
    if kind < 0.24:
        jumps = [at for at, target in enumerate(parts.targets) if target is not None]
        if not jumps:
            return parts
        at = pick.choice(jumps)
        near = (parts.targets[at] or 0) + pick.choice((-2, -1, 1, 2))
        if 0 <= near < len(parts.insns):
            return edits.with_target(parts, at, near)
        return parts
    if kind < 0.30:
        other = pick.randrange(len(parts.insns))
        if parts.targets[index] is None and parts.targets[other] is None:
            one, two = parts.insns[index], parts.insns[other]
            return edits.with_insn(edits.with_insn(parts, index, two), other, one)
        return parts
    return edits.with_insn(parts, index, _other(parts.insns[index], pick))


def _operand(old: Reg | int, pick: random.Random) -> Reg | int:
    if isinstance(old, Reg):
        return pick.choice(_REGISTERS) if pick.random() < 0.8 else pick.choice(_NUMBERS)
    if pick.random() < 0.2:
        return pick.choice(_REGISTERS)
    number = old + pick.choice(_STEPS) if pick.random() < 0.4 else pick.choice(_NUMBERS)
    return max(-(1 << 31), min(number, (1 << 31) - 1))


def _offset(old: int, pick: random.Random) -> int:
    return max(-32768, min(old + pick.choice(_STEPS), 32767))


def _other(insn: Instruction, pick: random.Random) -> Instruction:
    """The instruction with one field changed; it can always be encoded."""
    what = pick.randrange(4)
    match insn:
        case Alu(op, dst, src, wide):
            if what == 0:
                return replace(insn, dst=pick.choice(_REGISTERS))
            if what == 1 and not op.value.unary and not op.value.sign_extends:
                return _fitting(replace(insn, src=_operand(src, pick)))
            if what == 2 and not op.value.wide_only:
                return _fitting(replace(insn, wide=not wide))
            if op in _MOVES and isinstance(src, Reg):
                return Alu(pick.choice(_MOVES[:3]), dst, src, wide)
            if not op.value.unary:
                return _fitting(replace(insn, op=pick.choice(_PLAIN)))
            return Alu(AluOp.MOV, dst, pick.choice(_REGISTERS), wide)
        case Swap():
            return replace(insn, to=pick.choice(("le", "be", "bswap")), bits=pick.choice((16, 32)))
        case JumpIf(op, dst, src, offset, wide):
            if what == 0:
                return JumpIf(op, pick.choice(_REGISTERS), src, offset, wide)
            if what == 1:
                return JumpIf(op, dst, _operand(src, pick), offset, wide)
            if what == 2:
                return JumpIf(op, dst, src, offset, not wide)
            return JumpIf(pick.choice(tuple(JmpOp)), dst, src, offset, wide)
        case Load(dst, src, offset, size, _):
            if what == 0:
                return Load(pick.choice(_REGISTERS), src, offset, size)
            if what == 1:
                return Load(dst, pick.choice(_REGISTERS), offset, size)
            if what == 2:
                return Load(dst, src, _offset(offset, pick), size)
            other = pick.choice(tuple(Size))
            return Load(dst, src, offset, other, other is not Size.DW and pick.random() < 0.4)
        case Store(dst, offset, src, size):
            if what == 0:
                return Store(pick.choice(_REGISTERS), offset, src, size)
            if what == 1:
                return Store(dst, _offset(offset, pick), src, size)
            if what == 2:
                return Store(dst, offset, _operand(src, pick), size)
            return Store(dst, offset, src, pick.choice(tuple(Size)))
        case Atomic(op, dst, offset, src, size) if op in _RMW:
            if what == 0:
                return Atomic(op, pick.choice(_REGISTERS), offset, src, size)
            if what == 1:
                return Atomic(op, dst, _offset(offset, pick), src, size)
            if what == 2:
                return Atomic(op, dst, offset, pick.choice(_REGISTERS), size)
            return Atomic(pick.choice(_RMW), dst, offset, src, size)
        case LoadImm64(dst, _):
            if what == 0:
                return LoadImm64(dst, pick.choice((0, 1, (1 << 64) - 1, 1 << 32, 1 << 63)))
            return replace(insn, dst=pick.choice(_REGISTERS))
        case Call(CallKind.HELPER):
            return Alu(AluOp.MOV, Reg.R0, pick.choice(_NUMBERS), wide=True)
        case _:
            return insn


def _fitting(insn: Alu) -> Alu:
    """Constants that the encoder or both verifiers would refuse before looking further."""
    bits = 64 if insn.wide else 32
    if insn.op in _SHIFTS and not isinstance(insn.src, Reg):
        return replace(insn, src=insn.src % bits)
    if insn.op in _DIVISIONS and insn.src == 0 and not isinstance(insn.src, Reg):
        return replace(insn, src=3)
    return insn
