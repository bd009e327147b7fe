"""What an object leaves to its target, settled: CO-RE, externs, attach points.

:func:`resolve` stands between reading (or editing) an object and linking it. An object that asks
for nothing passes untouched, and no part of the target is read that nothing asks for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from beebox.btf.wire import Kind
from beebox.isa.instruction import (
    Call,
    CallKind,
    GlobalRef,
    Instruction,
    KfuncRef,
    KsymRef,
    LoadImm64,
    SubprogRef,
    slot_count,
)
from beebox.obj import kconfig
from beebox.obj.core_relocation import POISONED_KFUNC, relocate_functions
from beebox.obj.host import host
from beebox.obj.kconfig import resolve_kconfig
from beebox.obj.kernel_symbols import attach_point, attach_symbol, resolve_symbol
from beebox.obj.linker import exception_callback
from beebox.obj.model import (
    ExternKind,
    ExternSpec,
    FunctionSpec,
    KconfigPlace,
    Missing,
    ObjectSpec,
    Poisoned,
)
from beebox.obj.target import Target


def resolve(
    spec: ObjectSpec,
    target: Target | None,
    names: Sequence[str],
    *,
    kernel: Target | None = None,
) -> ObjectSpec:
    """``spec`` with everything settled that the programs ``names`` reach.

    ``target`` is what CO-RE relocates against, None the running kernel; where a target has no
    types to read, the object's own take their place. It has the values of the build, too. Symbols
    and attach points are looked up in ``kernel``, where the programs will be loaded; without one
    in the target, or in the running kernel where the target's types are a selection (as ``gen
    min_core_btf`` makes them). They may then be unknown.

    Raises :exc:`TargetError` where the target lacks, or has several of, what must be there,
    :exc:`ObjectError` for relocations that do not fit their instructions.
    """
    target = host() if target is None else target
    asks = spec.externs or any(function.core for function in spec.functions.values())
    reached = reachable(spec, names) if asks else ()
    if any(spec.functions[name].core for name in reached):
        functions = relocate_functions(spec, target, reached)
        spec = replace(spec, functions={**spec.functions, **functions})
    attached = [name for name in names if _attaches(spec, name)]
    if not spec.externs and not attached:
        return spec
    symbols = _with_symbols(target) if kernel is None else kernel
    if spec.externs:
        spec = _with_externs(spec, target, symbols, reached)
    if attached and (kernel is not None or symbols.btf is not None):
        found = {name: attach_symbol(spec, spec.functions[name], symbols) for name in attached}
        known = {name: place for name, place in found.items() if place is not None}
        spec = replace(spec, attach_symbols={**spec.attach_symbols, **known})
    return spec


def _with_symbols(target: Target) -> Target:
    """The target, or the running kernel where its types have no function: they are a selection."""
    if target.btf is None or target.btf.of_kind(Kind.FUNC):
        return target
    return host()


def _attaches(spec: ObjectSpec, name: str) -> bool:
    """Whether it attaches by BTF, and the spec does not say yet where."""
    function = spec.functions.get(name)
    if function is None or name in spec.attach_symbols:
        return False
    return attach_point(function) is not None


def _with_externs(
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
        placed, row = resolve_kconfig(spec, target, used)
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


def reachable(spec: ObjectSpec, names: Sequence[str]) -> tuple[str, ...]:
    """The functions that ``names`` call, directly or not, and themselves, in the object's order.

    The exception callbacks of programs are among them. What is not there is left to the linker.
    """
    found = {name for name in names if name in spec.functions}
    for name in tuple(found):
        callback = exception_callback(spec.btf, spec.functions[name])
        if callback is not None and callback in spec.functions:
            found.add(callback)
    queue = list(found)
    while queue:
        for insn in spec.functions[queue.pop()].insns:
            match insn:
                case Call(target=SubprogRef(name=name)) | LoadImm64(value=SubprogRef(name=name)):
                    if name in spec.functions and name not in found:
                        found.add(name)
                        queue.append(name)
                case _:
                    pass
    return tuple(name for name in spec.functions if name in found)
