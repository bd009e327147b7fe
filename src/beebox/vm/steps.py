"""Steps of the interpreter that touch registers only, and wrappers around any step.

A step is one decoded instruction: it takes the registers and gives the next pc. What it computes
comes from ``isa.semantics``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

from beebox.errors import ExecutionError
from beebox.isa import semantics
from beebox.isa.instruction import Alu, JumpIf, Operand, Reg
from beebox.tables.opcodes import AluOp, AtomicOp
from beebox.vm.memory import Runtime

Registers: TypeAlias = list[int]
Step: TypeAlias = Callable[[Registers], int]

COMBINE: Final[Mapping[AtomicOp, Callable[[int, int], int]]] = {
    AtomicOp.ADD: lambda old, new: old + new,
    AtomicOp.OR: lambda old, new: old | new,
    AtomicOp.AND: lambda old, new: old & new,
    AtomicOp.XOR: lambda old, new: old ^ new,
    AtomicOp.FETCH_ADD: lambda old, new: old + new,
    AtomicOp.FETCH_OR: lambda old, new: old | new,
    AtomicOp.FETCH_AND: lambda old, new: old & new,
    AtomicOp.FETCH_XOR: lambda old, new: old ^ new,
    AtomicOp.XCHG: lambda _, new: new,
}
"""What a read-modify-write leaves in memory, by what was there and what is given; to be cut."""


Watch: TypeAlias = Callable[[int, Registers], None]
"""Told a pc and the registers before that instruction is executed; what it raises ends the run."""


def watched(step: Step, watch: Watch, pc: int) -> Step:
    """The step, with ``watch`` told before."""

    def run(regs: Registers) -> int:
        watch(pc, regs)
        return step(regs)

    return run


def second_slot(_regs: Registers) -> int:
    """Where no instruction is."""
    raise ExecutionError("jump into the middle of a 16-byte instruction")


def unreached(pc: int) -> Step:
    """Where the verifier never arrived; what stands there may need what nobody has."""

    def reached(_regs: Registers) -> int:
        raise ExecutionError("an instruction that the verifier never saw", pc=pc)

    return reached


def alu(insn: Alu, after: int) -> Step:
    """Arithmetic."""
    op, dst, src = insn.op, insn.dst, insn.src
    bits = 64 if insn.wide else 32
    mask, operate = (1 << bits) - 1, semantics.alu_function(op, bits)
    if op is AluOp.MOV:
        return _move(dst, src, mask, after)
    if isinstance(src, Reg):
        source = src

        def alu_reg(regs: Registers) -> int:
            regs[dst] = operate(regs[dst], regs[source])
            return after

        return alu_reg
    imm = src & mask

    def alu_imm(regs: Registers) -> int:
        regs[dst] = operate(regs[dst], imm)
        return after

    return alu_imm


def _move(dst: Reg, src: Operand, mask: int, after: int) -> Step:
    if not isinstance(src, Reg):
        return constant(dst, src & mask, after)
    source = src

    def move(regs: Registers) -> int:
        regs[dst] = regs[source] & mask
        return after

    return move


def constant(dst: Reg, value: int, after: int) -> Step:
    """A register becomes a number."""

    def constant(regs: Registers) -> int:
        regs[dst] = value
        return after

    return constant


def swap(to: str, bits: int, dst: Reg, after: int) -> Step:
    """Byte order."""
    convert = semantics.swap

    def swap(regs: Registers) -> int:
        regs[dst] = convert(to, bits, regs[dst])
        return after

    return swap


def jump(target: int) -> Step:
    """Always on to ``target``."""

    def jump(_regs: Registers) -> int:
        return target

    return jump


def jump_if(insn: JumpIf, after: int) -> Step:
    """A conditional jump."""
    op, dst, src, target = insn.op, insn.dst, insn.src, after + insn.offset
    bits = 64 if insn.wide else 32
    mask, compare = (1 << bits) - 1, semantics.compare_function(op, bits)
    if isinstance(src, Reg):
        source = src

        def jump_reg(regs: Registers) -> int:
            return target if compare(regs[dst], regs[source]) else after

        return jump_reg
    imm = src & mask

    def jump_imm(regs: Registers) -> int:
        return target if compare(regs[dst], imm) else after

    return jump_imm


def noted(step: Step, runtime: Runtime, field: str, value: int) -> Step:
    """``step``, noted in the runtime block behind it."""

    def run(regs: Registers) -> int:
        after = step(regs)
        setattr(runtime, field, value)
        return after

    return run


def counted(step: Step, runtime: Runtime, executed: list[int], pc: int) -> Step:
    """``step``, counted."""

    def counted(regs: Registers) -> int:
        executed[pc] += 1
        runtime.insns += 1
        return step(regs)

    return counted
