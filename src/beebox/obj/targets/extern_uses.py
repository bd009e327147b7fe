"""Uses of externs rewritten for a target: references into ``.kconfig``, zeros, poison.

What has an id or address in the kernel keeps its name until a kernel loads the program.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from beebox.isa.instruction import (
    Call,
    CallKind,
    GlobalRef,
    Instruction,
    KfuncRef,
    KsymRef,
    LoadImm64,
    slot_count,
)
from beebox.obj.model import (
    ExternKind,
    ExternSpec,
    FunctionSpec,
    KconfigPlace,
    Missing,
    ObjectSpec,
    Poisoned,
)
from beebox.obj.targets import kconfig
from beebox.obj.targets.kconfig import resolve_kconfig
from beebox.obj.targets.kernel_symbols import resolve_symbol
from beebox.obj.targets.poison import POISONED_KFUNC
from beebox.obj.targets.target import Target


def with_externs(
    spec: ObjectSpec, target: Target, symbols: Target, reached: Sequence[str]
) -> ObjectSpec:
    """The externs that the functions use, resolved, and their uses as far as they can be.

    Values of the build refer to their map from here on; what is missing is 0, or poison.
    """
    used = frozenset(
        name for each in reached for insn in spec.functions[each].insns for name in _names(insn)
    )
    unsettled = {name for name in used if name in spec.externs}
    externs = dict(spec.externs)
    maps = spec.maps
    if any(externs[name].kind is ExternKind.KCONFIG for name in unsettled):
        placed, row = resolve_kconfig(spec, target, symbols, used)
        externs |= placed
        maps = {**maps, kconfig.SECTION: row}
    for name in sorted(unsettled):
        if externs[name].resolved is None:
            found = resolve_symbol(spec, externs[name], symbols)
            externs[name] = replace(externs[name], resolved=found)
    settled = {name: _settled(spec.functions[name], externs, symbols) for name in reached}
    return replace(spec, externs=externs, maps=maps, functions={**spec.functions, **settled})


def _names(insn: Instruction) -> tuple[str, ...]:
    match insn:
        case LoadImm64(value=KsymRef(name=name)) | Call(target=KfuncRef(name=name)):
            return (name,)
        case _:
            return ()


def _settled(
    function: FunctionSpec, externs: Mapping[str, ExternSpec], target: Target
) -> FunctionSpec:
    insns: list[Instruction] = []
    poisoned = list(function.poisoned)
    pc = 0
    for insn in function.insns:
        row = next((externs[name] for name in _names(insn) if name in externs), None)
        match insn, row.resolved if row is not None else None:
            case LoadImm64(), KconfigPlace(offset):
                insns.append(replace(insn, value=GlobalRef(kconfig.SECTION, offset)))
            case LoadImm64(), Missing():
                insns.append(replace(insn, value=0))
            case Call(target=KfuncRef(name=name)), Missing():
                number = POISONED_KFUNC + _numbers(externs).index(name)
                insns.append(Call(CallKind.HELPER, number))
                poisoned.append(
                    Poisoned(pc, f"there is no kernel function {name} in {target.name}")
                )
            case _:
                insns.append(insn)
        pc += slot_count(insn)
    if len(poisoned) == len(function.poisoned) and tuple(insns) == function.insns:
        return function
    ordered = tuple(sorted(poisoned, key=lambda each: each.pc))
    return replace(function, insns=tuple(insns), poisoned=ordered)


def _numbers(externs: Mapping[str, ExternSpec]) -> list[str]:
    """The externs as libbpf numbers them: those of the build first, symbols by name behind."""
    rows = [row for row in externs.values() if row.kind is not ExternKind.KCONFIG]
    before = len(externs) - len(rows)
    return [""] * before + sorted(row.name for row in rows)
