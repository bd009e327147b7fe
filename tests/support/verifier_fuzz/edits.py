"""Programs taken apart: instructions whose jumps name instructions, so that some can be removed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

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

_FUNC: Final = 4  # BPF_PSEUDO_FUNC


@dataclass(frozen=True)
class Parts:
    """``targets[i]`` is the index of the instruction that ``insns[i]`` jumps to or calls, or None.

    An index may be ``len(insns)`` or outside of the program, where a jump leaves it.
    ``functions`` are the indices of the instructions at which described functions begin.
    """

    insns: tuple[Instruction, ...]
    targets: tuple[int | None, ...]
    functions: tuple[int | None, ...]


def take_apart(spec: ProgramSpec) -> Parts:
    """The parts of a program; a jump into the middle of an instruction goes behind it."""
    places: dict[int, int] = {}
    pc = 0
    for index, insn in enumerate(spec.insns):
        for slot in range(slot_count(insn)):
            places[pc + slot] = index + (slot > 0)
        pc += slot_count(insn)
    targets: list[int | None] = []
    here = 0
    for insn in spec.insns:
        distance = _distance(insn)
        target = None if distance is None else here + 1 + distance
        targets.append(None if target is None else places.get(target, len(spec.insns)))
        here += slot_count(insn)
    functions = tuple(places.get(info.pc) for info in spec.functions)
    return Parts(spec.insns, tuple(targets), functions)


def put_together(spec: ProgramSpec, parts: Parts) -> ProgramSpec:
    """``spec`` with other instructions. Functions that are gone lose their description."""
    places = [0]
    for insn in parts.insns:
        places.append(places[-1] + slot_count(insn))
    out = []
    for index, (insn, target) in enumerate(zip(parts.insns, parts.targets, strict=True)):
        if target is None:
            out.append(insn)
        else:
            out.append(_with_distance(insn, places[target] - places[index] - 1))
    functions = tuple(
        replace(info, pc=places[index])
        for info, index in zip(spec.functions, parts.functions, strict=True)
        if index is not None and index < len(parts.insns)
    )
    named = {info.pc: info for info in reversed(functions)}
    kept = tuple(named[pc] for pc in sorted(named))
    return replace(spec, insns=tuple(out), functions=kept)


def without(parts: Parts, removed: Sequence[int]) -> Parts:
    """Some instructions taken out; jumps to them go to what followed."""
    gone = frozenset(removed)
    moved: list[int] = []
    kept = 0
    for index in range(len(parts.insns)):
        moved.append(kept)
        kept += index not in gone
    moved.append(kept)
    stay = [index for index in range(len(parts.insns)) if index not in gone]
    targets = tuple(
        None if (target := parts.targets[index]) is None else moved[target] for index in stay
    )
    functions = tuple(None if at is None or at in gone else moved[at] for at in parts.functions)
    return Parts(tuple(parts.insns[index] for index in stay), targets, functions)


def with_insn(parts: Parts, index: int, insn: Instruction) -> Parts:
    """Another instruction at ``index``, with the same target if it jumps."""
    insns = (*parts.insns[:index], insn, *parts.insns[index + 1 :])
    old = parts.targets[index]
    target = old if _distance(insn) is not None and old is not None else None
    targets = (*parts.targets[:index], target, *parts.targets[index + 1 :])
    return replace(parts, insns=insns, targets=targets)


def with_target(parts: Parts, index: int, target: int) -> Parts:
    """The jump at ``index`` goes elsewhere."""
    return replace(parts, targets=(*parts.targets[:index], target, *parts.targets[index + 1 :]))


def inserted(parts: Parts, index: int, insn: Instruction) -> Parts:
    """Another instruction before that at ``index``; it jumps nowhere."""
    insns = (*parts.insns[:index], insn, *parts.insns[index:])
    shifted = [None if at is None else at + (at > index) for at in parts.targets]
    functions = tuple(None if at is None else at + (at > index) for at in parts.functions)
    return Parts(insns, (*shifted[:index], None, *shifted[index:]), functions)


def _distance(insn: Instruction) -> int | None:
    match insn:
        case Jump(offset) | MayGoto(offset) | JumpIf(offset=offset):
            return offset
        case Call(CallKind.SUBPROG, int() as target):
            return target
        case LoadImm64(value=PseudoImm64(pseudo, low)) if pseudo == _FUNC:
            return low
        case _:
            return None


def _with_distance(insn: Instruction, distance: int) -> Instruction:
    match insn:
        case Jump() | MayGoto() | JumpIf():
            return replace(insn, offset=distance)
        case Call():
            return replace(insn, target=distance)
        case LoadImm64(value=PseudoImm64() as value):
            return replace(insn, value=replace(value, low=distance))
        case _:
            return insn
