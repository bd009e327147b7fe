"""More statements of random programs: atomics, spilled pointers, partial fills, loops, calls."""

from __future__ import annotations

import random
from typing import Any, Final

from beebox.isa.instruction import (
    Alu,
    Atomic,
    Call,
    CallKind,
    Exit,
    Jump,
    JumpIf,
    Load,
    LoadImm64,
    MapRef,
    Reg,
    Store,
)
from beebox.tables.helpers import HELPER_BY_NAME
from beebox.tables.opcodes import AluOp, AtomicOp, JmpOp, Size

Writer = Any  # verifier_values.Writer, which imports this module

_VALUE, _CONTEXT, _PACKET = Reg.R9, Reg.R6, Reg.R7
_LOOKUP: Final = HELPER_BY_NAME["map_lookup_elem"].id
_SIZES: Final = (Size.B, Size.H, Size.W, Size.DW)
_ORDERED: Final = (AtomicOp.LOAD_ACQUIRE, AtomicOp.STORE_RELEASE)
_RMW: Final = tuple(op for op in AtomicOp if op not in _ORDERED)
_SAVE: Final = -40  # where pointers are spilled; -48 and -56 are for numbers and functions


def ordered(writer: Writer) -> None:
    """An atomic operation of any kind on the stack or a map value."""
    pick = writer.random
    base, offset = pick.choice(((Reg.R10, -16), (Reg.R10, -24), (_VALUE, 0), (_VALUE, 24)))
    if pick.random() < 0.25:
        op = pick.choice(_ORDERED)
        size = pick.choice(_SIZES)
        offset += size.value.bytes * pick.choice((0, 0, 8 // size.value.bytes - 1))
        if op is AtomicOp.LOAD_ACQUIRE:
            writer.emit(Atomic(op, writer.number(), offset, base, size))
        else:
            writer.emit(Atomic(op, base, offset, writer.number(), size))
        return
    op, size = pick.choice(_RMW), pick.choice((Size.W, Size.DW))
    if size is Size.W and pick.random() < 0.3:
        offset += 4
    if pick.random() < 0.05:
        offset += 2
    if op is AtomicOp.CMPXCHG:
        writer.emit(Alu(AluOp.MOV, Reg.R0, pick.choice((writer.number(), 0, 1))))
    writer.emit(Atomic(op, base, offset, writer.number(), size))
    if op is AtomicOp.CMPXCHG and pick.random() < 0.6:
        writer.emit(Alu(AluOp.MOV, writer.number(), Reg.R0, pick.random() < 0.7))


def spilled_pointer(writer: Writer) -> None:
    """A pointer, perhaps moved, goes to the stack and comes back; then it is used."""
    pick = writer.random
    base, extent = pick.choice(((_VALUE, 64), (_VALUE, 64), (_PACKET, 32), (_CONTEXT, 24)))
    moved = pick.choice((0, 0, 0, 4, 8)) if base is not _CONTEXT else 0
    writer.emit(Alu(AluOp.MOV, Reg.R5, base))
    if moved:
        writer.emit(Alu(AluOp.ADD, Reg.R5, moved))
    if pick.random() < 0.2 and base is _VALUE:
        index = writer.number()
        writer.emit(Alu(AluOp.AND, index, 15), Alu(AluOp.ADD, Reg.R5, index))
        moved += 15
    writer.emit(Store(Reg.R10, _SAVE, Reg.R5, Size.DW))
    if pick.random() < 0.4:
        writer.arithmetic()
    if pick.random() < 0.06:  # what makes it a number again, or no pointer at all
        writer.emit(Store(Reg.R10, _SAVE + pick.choice((0, 4, 7)), 0, Size.B))
    size = pick.choice((Size.DW, Size.DW, Size.DW, Size.DW, Size.DW, Size.DW, Size.W))
    writer.emit(Load(Reg.R5, Reg.R10, _SAVE, size))
    if base is _CONTEXT:
        writer.emit(Load(writer.number(), Reg.R5, pick.choice((12, 16, 20)), Size.W))
        return
    width = pick.choice(_SIZES)
    most = extent - moved - width.value.bytes
    offset = pick.randrange(most + 1) if pick.random() < 0.9 else most + 1
    if pick.random() < 0.7:
        writer.emit(Load(writer.number(), Reg.R5, offset, width))
    else:
        writer.emit(Store(Reg.R5, offset, writer.number(), width))


def partial_fill(writer: Writer) -> None:
    """A number of one width to the stack, another width from there; then perhaps an index."""
    pick = writer.random
    wrote, read = pick.choice(_SIZES), pick.choice(_SIZES)
    at = pick.choice((0, 0, 0, 8 - wrote.value.bytes))
    start = at if pick.random() < 0.8 else 0
    start = start // read.value.bytes * read.value.bytes
    source = writer.number()
    if pick.random() < 0.5:
        writer.emit(Alu(AluOp.AND, source, pick.choice((1, 15, 56, 255, 0x1FF))))
    if pick.random() < 0.4:
        writer.emit(Store(Reg.R10, -48, pick.choice((0, 0, -1, 7)), Size.DW))
    writer.emit(Store(Reg.R10, -48 + at, pick.choice((source, source, source, 5)), wrote))
    signed = read is not Size.DW and pick.random() < 0.25
    target = writer.number()
    writer.emit(Load(target, Reg.R10, -48 + start, read, signed))
    if pick.random() < 0.4:
        _index(writer, target)


def _index(writer: Writer, index: Reg) -> None:
    pick = writer.random
    skip = writer.label()
    if pick.random() < 0.7:
        op = pick.choice((JmpOp.GT, JmpOp.GE, JmpOp.SGT))
        writer.jump(JumpIf(op, index, pick.choice((15, 55, 56)), 0), skip)
    writer.emit(Alu(AluOp.MOV, Reg.R5, _VALUE), Alu(AluOp.ADD, Reg.R5, index))
    writer.emit(Load(Reg.R0, Reg.R5, 0, Size.B))
    writer.place(skip)


def register_loop(writer: Writer, depth: int) -> None:
    """A loop whose counter is a register, up or down, to a constant or a bounded number."""
    pick = writer.random
    counter = writer.number()
    start, out = writer.label(), writer.label()
    down = pick.random() < 0.3
    limit: Reg | int = pick.choice((2, 3, 4, 8))
    if pick.random() < 0.3:
        limit = Reg.R0
        writer.emit(Load(Reg.R0, _VALUE, 0, Size.B), Alu(AluOp.AND, Reg.R0, 7))
    first: Reg | int = limit if down else 0
    writer.emit(Alu(AluOp.MOV, counter, first, pick.random() < 0.8))
    writer.place(start)
    if pick.random() < 0.5:  # asked before each round
        test = JumpIf(JmpOp.EQ, counter, 0, 0) if down else JumpIf(JmpOp.GE, counter, limit, 0)
        writer.jump(test, out)
    if pick.random() < 0.5:
        _index(writer, counter)
    else:
        choice = pick.choice((writer.stack, writer.arithmetic, writer.map_access))
        choice()
    writer.emit(Alu(AluOp.ADD, counter, -1 if down else 1, pick.random() < 0.9))
    back = pick.random()
    if back < 0.2:
        writer.jump(Jump(0, long=pick.random() < 0.5), start)
    elif down:
        writer.jump(JumpIf(pick.choice((JmpOp.NE, JmpOp.SGT)), counter, 0, 0), start)
    else:
        writer.jump(JumpIf(pick.choice((JmpOp.LT, JmpOp.SLT, JmpOp.NE)), counter, limit, 0), start)
    writer.place(out)
    if depth == 0 and pick.random() < 0.3:
        _index(writer, counter)


def over(writer: Writer) -> None:
    """A jump, near or long, over some instructions that another jump goes to."""
    pick = writer.random
    out, inside = writer.label(), writer.label()
    writer.jump(JumpIf(pick.choice(tuple(JmpOp)), writer.number(), writer.immediate(), 0), inside)
    writer.arithmetic()
    writer.jump(Jump(0, long=pick.random() < 0.5), out)
    writer.place(inside)
    writer.arithmetic()
    writer.place(out)


def nullable(writer: Writer) -> None:
    """A lookup whose result is copied or spilled before one of its copies is checked."""
    pick = writer.random
    writer.emit(
        Store(Reg.R10, -56, pick.choice((0, 1, 9)), Size.DW),
        Alu(AluOp.MOV, Reg.R2, Reg.R10),
        Alu(AluOp.ADD, Reg.R2, -56),
        LoadImm64(Reg.R1, MapRef(pick.choice(("table", "values")))),
        Call(CallKind.HELPER, _LOOKUP),
        Alu(AluOp.MOV, Reg.R5, Reg.R0),
    )
    if pick.random() < 0.5:
        writer.emit(Store(Reg.R10, _SAVE, Reg.R0, Size.DW))
    if pick.random() < 0.03:
        writer.emit(Alu(AluOp.ADD, Reg.R5, 4))
    skip = writer.label()
    checked, used = pick.choice((Reg.R0, Reg.R5)), pick.choice((Reg.R0, Reg.R5))
    kind = pick.random()
    if kind < 0.6:
        writer.jump(JumpIf(JmpOp.EQ, checked, 0, 0), skip)
    elif kind < 0.9:
        there = writer.label()
        writer.jump(JumpIf(JmpOp.NE, checked, 0, 0), there)
        writer.jump(Jump(0), skip)
        writer.place(there)
    elif kind < 0.95:
        writer.jump(JumpIf(pick.choice((JmpOp.GT, JmpOp.SGT)), checked, 0, 0), skip)
    if pick.random() < 0.3:
        writer.emit(Load(used, Reg.R10, _SAVE, Size.DW))
    writer.emit(Load(Reg.R0, used, pick.choice((0, 8, 12)), Size.W))
    writer.place(skip)
    for reg in (Reg.R1, Reg.R2, Reg.R3, Reg.R4):
        writer.fill(reg)


def stack_function(writer: Writer) -> None:
    """A call of a function that works on its caller's stack and on a number."""
    pick = writer.random
    number = writer.number()
    if pick.random() < 0.9:
        writer.emit(Store(Reg.R10, -48, pick.choice((0, 0, number)), Size.DW))
    writer.emit(
        Alu(AluOp.MOV, Reg.R2, number),
        Alu(AluOp.MOV, Reg.R1, Reg.R10),
        Alu(AluOp.ADD, Reg.R1, -48),
    )
    writer.jump(Call(CallKind.SUBPROG, 0), writer.function(pick.choice(tuple(_BODIES))))
    for reg in (Reg.R1, Reg.R2, Reg.R3, Reg.R4):
        writer.fill(reg)
    result = writer.number()
    writer.emit(Alu(AluOp.MOV, result, Reg.R0))
    if pick.random() < 0.5:
        writer.emit(Load(writer.number(), Reg.R10, -48, Size.DW))
    if pick.random() < 0.3:
        _index(writer, result)


def body(writer: Writer, name: str) -> None:
    """The function called ``name``: R1 points to 8 bytes of the caller's stack, R2 is a number."""
    _BODIES[name](writer, writer.random)


def _stores(writer: Writer, pick: random.Random) -> None:
    offset = pick.choice((0, 0, 0, 4, -8, 8))
    size = pick.choice((Size.DW, Size.W)) if offset != 4 else Size.W
    writer.emit(Store(Reg.R1, offset, pick.choice((Reg.R2, Reg.R2, 3)), size))
    writer.emit(Load(Reg.R0, Reg.R1, 0, Size.DW), Exit())


def _limits(writer: Writer, pick: random.Random) -> None:
    leave = writer.label()
    writer.emit(Alu(AluOp.MOV, Reg.R0, 0))
    writer.jump(JumpIf(JmpOp.GT, Reg.R2, pick.choice((15, 56, 63)), 0), leave)
    writer.emit(Alu(AluOp.MOV, Reg.R0, Reg.R2))
    writer.place(leave)
    writer.emit(Exit())


def _own_stack(writer: Writer, pick: random.Random) -> None:
    writer.emit(
        Store(Reg.R10, -8, Reg.R2, Size.DW),
        Store(Reg.R10, -16, Reg.R1, Size.DW),
        Load(Reg.R3, Reg.R10, -16, Size.DW),
        Load(Reg.R4, Reg.R10, -8, pick.choice((Size.DW, Size.B))),
        Store(Reg.R3, 0, Reg.R4, Size.DW),
        Alu(AluOp.MOV, Reg.R0, Reg.R4),
    )
    if pick.random() < 0.05:
        writer.emit(Alu(AluOp.MOV, Reg.R0, pick.choice((Reg.R10, Reg.R3))))
    writer.emit(Exit())


def _adds(writer: Writer, pick: random.Random) -> None:
    writer.emit(
        Load(Reg.R0, Reg.R1, 0, Size.DW),
        Alu(pick.choice((AluOp.ADD, AluOp.AND, AluOp.XOR, AluOp.MUL)), Reg.R0, Reg.R2),
        Alu(AluOp.AND, Reg.R0, pick.choice((7, 63, 0xFF))),
        Store(Reg.R1, 0, Reg.R0, Size.DW),
        Exit(),
    )


_BODIES: Final = {"stores": _stores, "limits": _limits, "own stack": _own_stack, "adds": _adds}
