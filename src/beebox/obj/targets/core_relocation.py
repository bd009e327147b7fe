"""CO-RE relocations applied: instructions rewritten for a target, or poisoned.

A poisoned instruction is a call of a helper that no kernel has. Programs guard what a target may
lack by asking first (``bpf_core_field_exists``), so that one nobody reaches does no harm.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final, assert_never

from beebox.btf.core_candidates import Candidates
from beebox.btf.core_relocations import Absent, Relocated, Undecided, Value, calculate
from beebox.btf.types import Btf
from beebox.btf.wire import ByteOrder
from beebox.errors import BtfError, ObjectError, TargetError
from beebox.isa.instruction import (
    Alu,
    Atomic,
    Call,
    CallKind,
    Instruction,
    Load,
    LoadImm64,
    Reg,
    Store,
    slot_count,
)
from beebox.obj.model import CoreRelocation, FunctionSpec, ObjectSpec, Poisoned
from beebox.obj.targets.poison import POISON
from beebox.obj.targets.target import Target
from beebox.tables.opcodes import Size

_SIZES: Final = {size.value.bytes: size for size in Size}
_MOST_OFFSET: Final = (1 << 15) - 1
_U64: Final = (1 << 64) - 1


def relocate_functions(
    spec: ObjectSpec, target: Target, names: Sequence[str]
) -> dict[str, FunctionSpec]:
    """Those functions of ``names`` that have relocations, relocated.

    A target without types of its own is given the object's. Raises :exc:`TargetError` and
    :exc:`ObjectError`.
    """
    if spec.btf is None:
        raise ObjectError("has CO-RE relocations and no BTF", file=spec.file)
    candidates = candidates_for(spec.btf, target, spec.byte_order)
    return {
        name: _relocated(spec, spec.functions[name], target, candidates)
        for name in names
        if spec.functions[name].core
    }


def candidates_for(local: Btf, target: Target, byte_order: ByteOrder = "little") -> Candidates:
    """Where the object's types are looked for; of a target without types, in themselves."""
    if target.btf is None:
        return Candidates(local, local, byte_order=byte_order)
    return Candidates(local, target.btf, target.modules, byte_order)


def _relocated(
    spec: ObjectSpec, function: FunctionSpec, target: Target, candidates: Candidates
) -> FunctionSpec:
    places = {}
    pc = 0
    for index, insn in enumerate(function.insns):
        places[pc] = index
        pc += slot_count(insn)
    insns: list[tuple[Instruction, ...]] = [(insn,) for insn in function.insns]
    poisoned = list(function.poisoned)
    poison = Call(CallKind.HELPER, POISON)
    for row in function.core:
        if row.pc not in places:
            raise _fault(spec, function, row, "a CO-RE relocation within an instruction")
        index = places[row.pc]
        try:
            outcome = calculate(candidates, row.kind, row.type_id, row.access)
        except BtfError as error:
            raise _fault(spec, function, row, str(error)) from None
        match outcome:
            case Undecided(why):
                raise TargetError(
                    f"{_place(function, row)}: {row.kind.name} is ambiguous: {why}",
                    target=target.name,
                    file=spec.file,
                )
            case Relocated():
                pass
        if insns[index][0] == poison:
            raise _fault(spec, function, row, "two CO-RE relocations of one instruction")
        changed = _changed(insns[index][0], outcome, spec, function, row)
        if isinstance(changed, str):
            why = f"CO-RE: {changed} in {target.name}"
            poisoned.append(Poisoned(row.pc, why))
            insns[index] = (poison,) * slot_count(function.insns[index])
        else:
            insns[index] = (changed,)
    return replace(
        function,
        insns=tuple(insn for each in insns for insn in each),
        core=(),
        poisoned=tuple(sorted(poisoned, key=lambda each: each.pc)),
    )


def _place(function: FunctionSpec, row: CoreRelocation) -> str:
    lines = [line for line in function.lines if line.pc <= row.pc]
    at = f" ({lines[-1].file}:{lines[-1].line})" if lines else ""
    return f"{function.name}, insn {row.pc}{at}"


def _fault(
    spec: ObjectSpec, function: FunctionSpec, row: CoreRelocation, problem: str
) -> ObjectError:
    return ObjectError(
        f"{_place(function, row)}: {problem}",
        file=spec.file,
        section=function.section,
        offset=8 * row.pc,
    )


def _changed(
    insn: Instruction,
    outcome: Relocated,
    spec: ObjectSpec,
    function: FunctionSpec,
    row: CoreRelocation,
) -> Instruction | str:
    """The instruction for the target; a text says why there is none."""
    value = outcome.result
    match value:
        case Absent(why):
            return why
        case Value():
            pass
    if not isinstance(insn, Alu | LoadImm64 | Load | Store | Atomic):
        raise _fault(spec, function, row, f"CO-RE does not relocate {type(insn).__name__}")
    held = _held(insn)
    if held is None:
        raise _fault(spec, function, row, "a CO-RE relocation of an instruction without a number")
    if not value.any_old and held & _U64 != value.old & _U64:
        problem = f"the instruction holds {held}, CO-RE expects {value.old} for {outcome.local}"
        raise _fault(spec, function, row, problem)
    match insn:
        case Alu():
            return replace(insn, src=_s32(value.new))
        case LoadImm64():
            return replace(insn, value=value.new & _U64)
        case Load() | Store() | Atomic():
            if value.new > _MOST_OFFSET:
                problem = f"{outcome.local} lies at {value.new}, too far for an instruction"
                raise _fault(spec, function, row, problem)
            if value.resize:
                return value.resize
            if value.new_size != value.old_size:
                insn = _resized(insn, value, spec, function, row)
            return replace(insn, offset=value.new)
        case _ as unreachable:
            assert_never(unreachable)


def _held(insn: Alu | LoadImm64 | Load | Store | Atomic) -> int | None:
    """The number in the place that CO-RE writes to."""
    match insn:
        case Alu(src=held):
            return None if isinstance(held, Reg) else held
        case LoadImm64(value=held):
            return held if isinstance(held, int) else None
        case Load() | Store() | Atomic():
            return insn.offset
        case _ as unreachable:
            assert_never(unreachable)


def _resized(
    insn: Load | Store | Atomic,
    value: Value,
    spec: ObjectSpec,
    function: FunctionSpec,
    row: CoreRelocation,
) -> Load | Store | Atomic:
    size = _SIZES.get(value.new_size)
    signed = isinstance(insn, Load) and insn.signed
    if insn.size.value.bytes != value.old_size:
        problem = f"the instruction accesses {insn.size.value.bytes} bytes of {value.old_size}"
        raise _fault(spec, function, row, problem)
    if size is None or (signed and size is Size.DW):
        raise _fault(spec, function, row, f"no instruction accesses {value.new_size} bytes so")
    return replace(insn, size=size)


def _s32(value: int) -> int:
    value &= 0xFFFFFFFF
    return value - (1 << 32) if value >> 31 else value
