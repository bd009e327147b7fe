"""A program made smaller while it still shows what it shows."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Final

from beebox.isa.instruction import (
    Alu,
    Call,
    CallKind,
    Exit,
    Jump,
    JumpIf,
    LoadImm64,
    MayGoto,
    Reg,
    Store,
)
from beebox.obj.model import ProgramSpec
from beebox.tables.opcodes import AluOp
from verifier_fuzz import edits
from verifier_fuzz.edits import Parts

_MOST_TRIALS: Final = 4000
_MOST_SECONDS: Final = 20.0


def minimised(spec: ProgramSpec, shows: Callable[[ProgramSpec], bool]) -> ProgramSpec:
    """The smallest program found of which ``shows`` still holds; it holds of ``spec``.

    Takes out runs of instructions, the long ones first, then simplifies what is left; ends when
    nothing more can go, or after some thousand trials or some seconds.
    """
    parts = edits.take_apart(spec)
    trials, ends = 0, time.monotonic() + _MOST_SECONDS

    def holds(candidate: Parts) -> bool:
        nonlocal trials
        trials += 1
        if time.monotonic() > ends:
            trials = _MOST_TRIALS
            return False
        return bool(candidate.insns) and shows(edits.put_together(spec, candidate))

    if not holds(parts):  # putting together what was taken apart moved a jump
        return spec
    changed = True
    while changed and trials < _MOST_TRIALS:
        changed = False
        length = max(len(parts.insns) // 2, 1)
        while length:
            start = len(parts.insns) - length
            while start >= 0 and trials < _MOST_TRIALS:
                candidate = edits.without(parts, range(start, start + length))
                if holds(candidate):
                    parts, changed = candidate, True
                start -= length
            length //= 2
        for candidate in _simpler(parts):
            if trials >= _MOST_TRIALS:
                break
            if holds(candidate):
                parts, changed = candidate, True
                break
    return edits.put_together(spec, parts)


def _simpler(parts: Parts) -> Iterator[Parts]:
    """The program with one instruction that is easier to read; never in a circle."""
    for index, insn in enumerate(parts.insns):
        match insn:
            case Call(CallKind.HELPER):
                yield edits.with_insn(parts, index, Alu(AluOp.MOV, Reg.R0, 0, wide=True))
            case Alu(op, dst, src, wide) if not op.value.unary:
                if isinstance(src, Reg) and not op.value.sign_extends:
                    yield edits.with_insn(parts, index, Alu(op, dst, 1, wide))
                elif isinstance(src, int) and abs(src) > 1:
                    if not wide and not op.value.wide_only:
                        yield edits.with_insn(parts, index, replace(insn, wide=True))
                    yield edits.with_insn(parts, index, Alu(op, dst, 1, wide))
                    yield edits.with_insn(parts, index, Alu(op, dst, int(src / 2), wide))
            case JumpIf(op, dst, src, offset, wide):
                if isinstance(src, Reg):
                    yield edits.with_insn(parts, index, JumpIf(op, dst, 0, offset, wide))
                elif abs(src) > 1:
                    yield edits.with_insn(parts, index, JumpIf(op, dst, 1, offset, wide))
                    yield edits.with_insn(parts, index, JumpIf(op, dst, int(src / 2), offset, wide))
            case Store(dst, offset, Reg(), size):
                yield edits.with_insn(parts, index, Store(dst, offset, 0, size))
            case LoadImm64(dst, int() as value) if value > 1:
                yield edits.with_insn(parts, index, LoadImm64(dst, 1))
            case Jump() | MayGoto() if parts.targets[index] != len(parts.insns) - 1:
                if isinstance(parts.insns[-1], Exit):
                    yield edits.with_target(parts, index, len(parts.insns) - 1)
            case _:
                pass
