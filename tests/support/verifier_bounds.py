"""Random programs whose verdict tells whether one bound of one number is exactly as expected.

A program computes; what our verifier then knows of a register is asked for by a comparison whose
other side is a fault: with the exact bound it is never taken, with one less it may be. Linux must
agree on both.
"""

from __future__ import annotations

import random
from dataclasses import replace

from verifier_values import MAPS, Writer

from beebox.isa.instruction import (
    Alu,
    Call,
    CallKind,
    Exit,
    Instruction,
    JumpIf,
    Load,
    LoadImm64,
    MapRef,
    Reg,
    Store,
)
from beebox.obj.model import ProgramSpec
from beebox.tables.helpers import HELPER_BY_NAME
from beebox.tables.opcodes import AluOp, JmpOp, Size
from beebox.tables.program_types import ProgramType
from beebox.verifier.findings import Refusal
from beebox.verifier.numbers.scalar import Scalar
from beebox.verifier.result import RegKind
from beebox.verifier.verify import verify

__all__ = ["MAPS", "program"]

_NUMBERS = (Reg.R1, Reg.R2, Reg.R3, Reg.R4)
_VALUE, _LIMIT = Reg.R9, Reg.R5
_U64 = (1 << 64) - 1
_MOST = 1500  # instructions that are processed to learn the bounds


class _Known:
    """What is known of R1-R4 whenever ``pc`` is reached; an observer."""

    def __init__(self, pc):
        self.pc = pc
        self.left = _MOST
        self.states = []

    def arrive(self, path, pc):
        self.left -= 1
        if self.left < 0:
            raise Refusal("too-complex", pc, "enough for a fuzzer")
        if pc == self.pc:
            self.states.append([path.regs[number] for number in _NUMBERS])

    def pruned(self, path, pc): ...
    def pushed(self, path, other): ...
    def entered(self, path, state): ...
    def ended(self, path, pc): ...


def program(seed: int) -> ProgramSpec:
    """The program of this seed."""
    writer = _computing(seed)
    pick, end = writer.random, writer.slot
    leave = [Alu(AluOp.MOV, Reg.R0, 2), Exit()]
    fault = writer.label()
    plain = _finished(writer, leave)
    known = _Known(end)
    report = verify(plain, observer=known)
    index = pick.randrange(len(_NUMBERS))
    scalars = [state[index] for state in known.states]
    if (
        not report.accepted
        or not scalars
        or any(reg is None or reg.kind is not RegKind.SCALAR for reg in scalars)
    ):
        return plain
    check = _check(pick, _NUMBERS[index], [reg.scalar for reg in scalars])
    writer.emit(*check[:-1])
    last = check[-1]
    assert isinstance(last, JumpIf)
    writer.jump(last, fault)
    writer.emit(*leave)
    writer.place(fault)
    writer.emit(Load(Reg.R0, Reg.R10, 0, Size.B), Exit())
    return writer.finish()


def _finished(writer: Writer, leave: list[Instruction]) -> ProgramSpec:
    items, slot = list(writer.items), writer.slot
    writer.emit(*leave)
    spec = writer.finish()
    writer.items, writer.slot = items, slot
    return replace(spec, type=ProgramType.XDP)


def _computing(seed: int) -> Writer:
    """A program that fills R1-R4, computes with them, and has not ended yet."""
    writer = Writer(seed)
    pick = writer.random
    present = writer.label()
    writer.emit(
        Store(Reg.R10, -32, 0, Size.DW),
        Alu(AluOp.MOV, Reg.R2, Reg.R10),
        Alu(AluOp.ADD, Reg.R2, -32),
        LoadImm64(Reg.R1, MapRef("table")),
        Call(CallKind.HELPER, HELPER_BY_NAME["map_lookup_elem"].id),
    )
    writer.jump(JumpIf(JmpOp.NE, Reg.R0, 0, 0), present)
    writer.emit(Exit())
    writer.place(present)
    writer.emit(Alu(AluOp.MOV, _VALUE, Reg.R0))
    for number in _NUMBERS:
        if pick.random() < 0.8:
            size = pick.choice((Size.B, Size.H, Size.W, Size.DW, Size.DW))
            signed = size is not Size.DW and pick.random() < 0.3
            writer.emit(Load(number, _VALUE, pick.choice((0, 8)), size, signed))
        else:
            writer.emit(Alu(AluOp.MOV, number, writer.immediate(), pick.random() < 0.7))
    for _ in range(pick.randint(1, 7)):
        kind = pick.random()
        if kind < 0.46:
            writer.arithmetic()
        elif kind < 0.5:  # bits that are known, the sign among them, most of the time
            op = pick.choice((AluOp.OR, AluOp.AND, AluOp.XOR))
            writer.emit(Alu(op, writer.number(), pick.choice((-1 << 31, -8, -256, 1 << 30))))
            writer.emit(Alu(AluOp.ARSH, writer.number(), pick.choice((1, 3, 8)), op is AluOp.OR))
        elif kind < 0.62:
            _spill(writer, pick)
        else:
            _compare(writer, pick)
    return writer


def _spill(writer: Writer, pick: random.Random) -> None:
    size = pick.choice((Size.B, Size.H, Size.W, Size.DW, Size.DW))
    width = size.value.bytes
    offset = -8 * pick.randint(1, 2) + (0 if pick.random() < 0.7 else width * (8 // width - 1))
    if pick.random() < 0.5:
        writer.emit(Store(Reg.R10, offset, writer.number(), size))
        if pick.random() < 0.5:
            return
        size = pick.choice((size, Size.W, Size.B, Size.DW))
        offset = offset // size.value.bytes * size.value.bytes
    signed = size is not Size.DW and pick.random() < 0.3
    writer.emit(Load(writer.number(), Reg.R10, offset, size, signed))


def _compare(writer: Writer, pick: random.Random) -> None:
    """A comparison after which one side or both go on, perhaps another way."""
    op, left, wide = pick.choice(tuple(JmpOp)), writer.number(), pick.random() < 0.5
    right: Reg | int = writer.number() if pick.random() < 0.35 else writer.immediate()
    skip = writer.label()
    writer.jump(JumpIf(op, left, right, 0, wide), skip)
    if pick.random() < 0.6:
        writer.emit(Alu(AluOp.MOV, Reg.R0, 1), Exit())
    else:
        for _ in range(pick.randint(1, 2)):
            writer.arithmetic()
    writer.place(skip)


def _check(pick: random.Random, number: Reg, scalars: list[Scalar]) -> list[Instruction]:
    """Instructions of which the last, a jump, is never taken, or is taken for one value only."""
    less = 0 if pick.random() < 0.55 else 1
    match pick.randrange(10):
        case 0:
            limit = max(one.umax for one in scalars) - less
            return [_load(limit), JumpIf(JmpOp.GT, number, _LIMIT, 0)]
        case 1:
            limit = min(one.umin for one in scalars) + less
            return [_load(limit), JumpIf(JmpOp.LT, number, _LIMIT, 0)]
        case 2:
            limit = max(one.smax for one in scalars) - less
            return [_load(limit), JumpIf(JmpOp.SGT, number, _LIMIT, 0)]
        case 3:
            limit = min(one.smin for one in scalars) + less
            return [_load(limit), JumpIf(JmpOp.SLT, number, _LIMIT, 0)]
        case 4:
            limit = max(one.u32_max for one in scalars) - less
            return [JumpIf(JmpOp.GT, number, _s32(limit), 0, wide=False)]
        case 5:
            limit = min(one.u32_min for one in scalars) + less
            return [JumpIf(JmpOp.LT, number, _s32(limit), 0, wide=False)]
        case 6:
            limit = max(one.s32_max for one in scalars) - less
            return [JumpIf(JmpOp.SGT, number, _s32(limit), 0, wide=False)]
        case 7:
            limit = min(one.s32_min for one in scalars) + less
            return [JumpIf(JmpOp.SLT, number, _s32(limit), 0, wide=False)]
        case _:
            return _bits(pick, number, scalars, less)


def _bits(pick: random.Random, number: Reg, scalars: list[Scalar], less: int) -> list[Instruction]:
    """All bits that are known on every path, and, for ``less``, one that is not."""
    one = scalars[0]
    unknown = one.mask
    for other in scalars[1:]:
        unknown |= other.mask | (other.value ^ one.value)
    mask = _U64 ^ unknown
    if less and unknown:
        mask |= pick.choice([1 << bit for bit in range(64) if unknown >> bit & 1])
    return [
        LoadImm64(_LIMIT, mask),
        Alu(AluOp.AND, number, _LIMIT),
        LoadImm64(_LIMIT, one.value & mask),
        JumpIf(JmpOp.NE, number, _LIMIT, 0),
    ]


def _load(value: int) -> LoadImm64:
    return LoadImm64(_LIMIT, value & _U64)


def _s32(value: int) -> int:
    value &= (1 << 32) - 1
    return value - (1 << 32) if value >> 31 else value
