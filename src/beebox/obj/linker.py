"""One program out of an object: its function, every subprogram it reaches, calls resolved.

Only maps and globals stay symbolic, since their addresses are each kernel's own. Recursion links
(the verifier refuses it); functions and instructions are bounded as in Linux.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from beebox.btf.types import Btf, DeclTag
from beebox.errors import NotSupportedError, ObjectError
from beebox.isa.instruction import (
    Call,
    CallKind,
    GlobalRef,
    Instruction,
    KfuncRef,
    KsymRef,
    LoadImm64,
    MapRef,
    PseudoImm64,
    SubprogRef,
    slot_count,
)
from beebox.obj.model import (
    ExternSpec,
    FuncInfo,
    FunctionSpec,
    LineInfo,
    ObjectSpec,
    Poisoned,
    ProgramSpec,
    VarRange,
)
from beebox.obj.targets.poison import POISONED_MAP
from beebox.tables.limits import MAX_INSNS, MAX_SUBPROGRAMS, MAX_USED_MAPS
from beebox.tables.sections import section_row

_EXCEPTION_CALLBACK = "exception_callback:"
_PSEUDO_FUNC = 4  # BPF_PSEUDO_FUNC: the address of a function of the program


def link(spec: ObjectSpec, program_name: str) -> ProgramSpec:
    """The program ``program_name`` of ``spec``, linked.

    Raises :exc:`ObjectError` for what is missing or too much, or when CO-RE relocations are left
    (``obj.targets`` settles them), :exc:`NotSupportedError` for sections without a program type
    and for code of big-endian machines.
    """
    entry = spec.functions.get(program_name)
    if entry is None or program_name not in spec.program_names:
        known = ", ".join(spec.program_names) or "none"
        raise ObjectError(f"no program {program_name!r} (there are: {known})", file=spec.file)
    if spec.byte_order != "little":
        raise NotSupportedError(f"{spec.file}: running a program compiled for big-endian machines")
    row = section_row(entry.section)
    if row is None:
        raise NotSupportedError(
            f"{spec.file}: the section {entry.section!r} of program {program_name}",
            hint="the name of a section says the program's type, as xdp and tc do",
        )
    functions = _reachable(spec, entry)
    starts: dict[str, int] = {}
    size = 0
    for function in functions:
        starts[function.name] = size
        size += _slots(function)
    if size > MAX_INSNS:
        raise ObjectError(f"{program_name} has {size} instructions", file=spec.file)
    insns: list[Instruction] = []
    poisoned: list[Poisoned] = []
    for function in functions:
        resolved = _resolved(function, starts)
        insns += _without_absent_maps(spec, resolved, starts[function.name], poisoned)
    used = _used_maps(spec, insns)
    externs = _used_externs(spec, insns)
    _, _, attach_to = entry.section.removeprefix("?").removeprefix(row.name).partition("/")
    return ProgramSpec(
        name=entry.name,
        section=entry.section,
        type=row.program_type,
        insns=tuple(insns),
        maps={name: row for name, row in spec.maps.items() if name in used},
        attach_type=row.attach_type,
        flags=row.flags,
        license=spec.license,
        lines=_lines(functions, starts),
        functions=tuple(FuncInfo(starts[f.name], f.name, f.type_id) for f in functions),
        variables=_variables(functions, starts),
        btf=spec.btf,
        attach_to=attach_to,
        attach_symbol=spec.attach_symbols.get(entry.name),
        externs=externs,
        version=spec.version,
        poisoned=(
            *(
                replace(row, pc=starts[function.name] + row.pc)
                for function in functions
                for row in function.poisoned
            ),
            *poisoned,
        ),
    )


def _slots(function: FunctionSpec) -> int:
    return sum(slot_count(insn) for insn in function.insns)


def _reachable(spec: ObjectSpec, entry: FunctionSpec) -> list[FunctionSpec]:
    """``entry`` and what it calls, directly or not, depth first: libbpf's order.

    Behind them comes the exception callback that ``entry`` is tagged with, and what that calls.
    """
    found: dict[str, FunctionSpec] = {}
    callback = exception_callback(spec.btf, entry)
    for root in (entry.name, *([callback] if callback else [])):
        queue = [(entry.name, root)]
        while queue:
            caller, name = queue.pop()
            if name in found:
                continue
            found[name] = _function(spec, caller, name)
            if len(found) > MAX_SUBPROGRAMS:
                problem = f"{entry.name} reaches more than {MAX_SUBPROGRAMS} functions"
                raise ObjectError(problem, file=spec.file)
            queue += [(name, callee) for callee in reversed(_callees(found[name]))]
    return list(found.values())


def _function(spec: ObjectSpec, caller: str, name: str) -> FunctionSpec:
    function = spec.functions.get(name)
    if function is None:
        raise ObjectError(f"{caller} calls {name!r}, which is not there", file=spec.file)
    if function.core:
        problem = f"function {name} has CO-RE relocations and no target was given"
        raise ObjectError(problem, file=spec.file)
    if not function.insns:
        raise ObjectError(f"function {name} is empty", file=spec.file)
    return function


def exception_callback(btf: Btf | None, function: FunctionSpec) -> str | None:
    """The function that the tag ``exception_callback:NAME`` of ``function`` names, if it has one.

    Linux finds it by the same tag, among the functions of the program.
    """
    if btf is None or not function.type_id:
        return None
    for tag in map(btf.type, btf.prefixed(_EXCEPTION_CALLBACK)):
        if isinstance(tag, DeclTag) and (tag.type, tag.component) == (function.type_id, -1):
            return tag.name.removeprefix(_EXCEPTION_CALLBACK)
    return None


def _callees(function: FunctionSpec) -> list[str]:
    names: list[str] = []
    for insn in function.insns:
        match insn:
            case Call(target=SubprogRef(name=name)) | LoadImm64(value=SubprogRef(name=name)):
                names.append(name)
            case _:
                pass
    return names


def _resolved(function: FunctionSpec, starts: dict[str, int]) -> list[Instruction]:
    """The instructions with their calls relative; slots count, as the kernel's do."""
    out: list[Instruction] = []
    size = _slots(function)
    pc = 0
    for insn in function.insns:
        after = pc + slot_count(insn)
        match insn:
            case Call(target=SubprogRef(name=name)):
                distance = starts[name] - (starts[function.name] + after)
                out.append(replace(insn, kind=CallKind.SUBPROG, target=distance))
            case LoadImm64(value=SubprogRef(name=name)):
                distance = starts[name] - (starts[function.name] + pc + 1)
                out.append(replace(insn, value=PseudoImm64(_PSEUDO_FUNC, distance)))
            case Call(kind=CallKind.SUBPROG, target=int(distance)) if (
                not 0 <= after + distance < size
            ):
                raise ObjectError(f"{function.name} calls out of itself by distance, not by name")
            case _:
                out.append(insn)
        pc = after
    return out


def _without_absent_maps(
    spec: ObjectSpec, insns: Sequence[Instruction], start: int, poisoned: list[Poisoned]
) -> list[Instruction]:
    """Poison, as libbpf's, for references to maps that are not made: nobody may reach them."""
    out: list[Instruction] = []
    pc = start
    for insn in insns:
        match insn:
            case LoadImm64(value=MapRef(name=name) | GlobalRef(map_name=name)) if (
                name in spec.maps and not spec.maps[name].autocreate
            ):
                number = POISONED_MAP + list(spec.maps).index(name)
                out += [Call(CallKind.HELPER, number)] * 2
                poisoned.append(Poisoned(pc, f"map {name} is not made: its autocreate is off"))
            case _:
                out.append(insn)
        pc += slot_count(insn)
    return out


def _used_externs(spec: ObjectSpec, insns: Sequence[Instruction]) -> dict[str, ExternSpec]:
    used: dict[str, ExternSpec] = {}
    for insn in insns:
        match insn:
            case LoadImm64(value=KsymRef(name=name)) | Call(target=KfuncRef(name=name)):
                if name not in spec.externs:
                    problem = f"the kernel symbol {name!r} is not declared"
                    raise ObjectError(problem, file=spec.file)
                used[name] = spec.externs[name]
            case _:
                pass
    return used


def _used_maps(spec: ObjectSpec, insns: Sequence[Instruction]) -> set[str]:
    used: set[str] = set()
    for insn in insns:
        match insn:
            case LoadImm64(value=MapRef(name=name)):
                _check_map(spec, name)
                used.add(name)
            case LoadImm64(value=GlobalRef(map_name=name, offset=offset)):
                _check_map(spec, name)
                if not spec.maps[name].is_global_data:
                    raise ObjectError(f"map {name!r} holds no global data", file=spec.file)
                if not 0 <= offset < len(spec.maps[name].contents or b""):
                    raise ObjectError(f"{name} has no offset {offset}", file=spec.file)
                used.add(name)
            case _:
                pass
    if len(used) > MAX_USED_MAPS:
        raise ObjectError(f"more than {MAX_USED_MAPS} maps", file=spec.file)
    return used


def _check_map(spec: ObjectSpec, name: str) -> None:
    if name not in spec.maps:
        raise ObjectError(f"map {name!r} is not there", file=spec.file)


def _lines(functions: Sequence[FunctionSpec], starts: dict[str, int]) -> tuple[LineInfo, ...]:
    return tuple(
        replace(line, pc=starts[function.name] + line.pc)
        for function in functions
        for line in function.lines
    )


def _variables(functions: Sequence[FunctionSpec], starts: dict[str, int]) -> tuple[VarRange, ...]:
    return tuple(
        replace(row, start=starts[function.name] + row.start, end=starts[function.name] + row.end)
        for function in functions
        for row in function.variables
    )
