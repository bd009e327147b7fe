"""Instructions put into a linked program: jumps, calls, lines and names move with the code."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final, TypeAlias

from beebox.isa.instruction import (
    Call,
    CallKind,
    Instruction,
    Jump,
    JumpIf,
    LoadImm64,
    MayGoto,
    PseudoImm64,
    slot_count,
)
from beebox.obj.model import ProgramSpec

_PSEUDO_FUNC: Final = 4  # BPF_PSEUDO_FUNC
_Places: TypeAlias = Callable[[int], int]


def insert(
    spec: ProgramSpec, pc: int, added: tuple[Instruction, ...], *, instead: bool = False
) -> ProgramSpec:
    """The program with ``added`` before the instruction at ``pc``, or ``instead`` of it.

    What jumped to ``pc`` comes through the new code, which may jump within itself and behind it.
    """
    shift = sum(slot_count(insn) for insn in added)
    if instead:
        shift -= sum(slot_count(insn) for insn in spec.slots[pc : pc + 1] if insn is not None)

    def moved(target: int) -> int:
        """Where a place behind jumps and calls is now."""
        return target + shift if target > pc else target

    def start(at: int) -> int:
        """Where an instruction is now."""
        return at + shift if at >= pc else at

    out: list[Instruction] = []
    at = 0
    for insn in spec.insns:
        if at == pc:
            out += added
        if at == pc and instead:
            at += slot_count(insn)
            continue
        out.append(_follow(insn, at, start(at), moved))
        at += slot_count(insn)
    return replace(
        spec,
        insns=tuple(out),
        lines=tuple(replace(row, pc=moved(row.pc)) for row in spec.lines),
        functions=tuple(replace(row, pc=moved(row.pc)) for row in spec.functions),
        variables=tuple(
            replace(row, start=start(row.start), end=start(row.end)) for row in spec.variables
        ),
        poisoned=tuple(replace(row, pc=start(row.pc)) for row in spec.poisoned),
    )


def _follow(insn: Instruction, old: int, new: int, moved: _Places) -> Instruction:
    match insn:
        case Jump() | JumpIf() | MayGoto():
            return replace(insn, offset=moved(old + 1 + insn.offset) - new - 1)
        case Call(CallKind.SUBPROG, int(distance)):
            return replace(insn, target=moved(old + 1 + distance) - new - 1)
        case LoadImm64(value=PseudoImm64(pseudo, low, high)) if pseudo == _PSEUDO_FUNC:
            return replace(insn, value=PseudoImm64(pseudo, moved(old + 1 + low) - new - 1, high))
        case _:
            return insn
