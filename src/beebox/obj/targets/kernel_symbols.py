"""Kernel variables, kernel functions and attach points of an object, found in a kernel's BTF.

The kernel's own types are searched first, then those of its modules, in their order. Source:
libbpf's rules for ``__ksym`` externs and for attach_btf_id.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from beebox.btf.core_access import essential_name
from beebox.btf.core_match import types_compatible
from beebox.btf.types import Btf, Func, Type, Typedef, Var
from beebox.errors import BtfError, TargetError
from beebox.obj.model import (
    ExternKind,
    ExternSpec,
    FunctionSpec,
    KernelAddress,
    KernelSymbol,
    Missing,
    ObjectSpec,
    Resolution,
)
from beebox.obj.targets.target import Target
from beebox.tables.program_types import AttachType, ProgramType
from beebox.tables.sections import section_row

_KERNEL: Final = "vmlinux"
_ATTACHES: Final[dict[AttachType, tuple[str, type[Func | Typedef]]]] = {
    AttachType.TRACE_RAW_TP: ("btf_trace_", Typedef),
    AttachType.TRACE_FENTRY: ("", Func),
    AttachType.TRACE_FEXIT: ("", Func),
    AttachType.MODIFY_RETURN: ("", Func),
    AttachType.LSM_MAC: ("bpf_lsm_", Func),
    AttachType.LSM_CGROUP: ("bpf_lsm_", Func),
    AttachType.TRACE_ITER: ("bpf_iter_", Func),
}
"""What the kernel calls its attach points: a name's beginning, and the kind of type it has."""


def resolve_symbol(spec: ObjectSpec, row: ExternSpec, target: Target) -> Resolution:
    """What the target has for a variable or function.

    Raises :exc:`TargetError` when it has none and the extern is not weak, or another kind of it.
    """
    match row.kind:
        case ExternKind.FUNCTION:
            return _function(spec, row, target)
        case ExternKind.VARIABLE if row.type_id:
            return _variable(spec, row, target)
        case _:
            return _address(spec, row, target)


def _function(spec: ObjectSpec, row: ExternSpec, target: Target) -> Resolution:
    name = essential_name(row.name)
    for btf, module, type_id in _found(spec, target, name, Func):
        if _compatible(spec, _behind(spec.btf, row.type_id), btf, _behind(btf, type_id)):
            return KernelSymbol(type_id, module)
        if row.is_weak:
            return Missing()
        problem = f"kernel function {name} has other parameters or another result"
        raise TargetError(problem, target=target.name, file=spec.file)
    return _missing(spec, row, target, f"there is no kernel function {name}")


def _variable(spec: ObjectSpec, row: ExternSpec, target: Target) -> Resolution:
    for btf, module, type_id in _found(spec, target, row.name, Var):
        wanted = spec.btf.resolve(row.type_id)[0] if spec.btf is not None else 0
        there, _ = btf.resolve(_behind(btf, type_id))
        if _compatible(spec, wanted, btf, there):
            return KernelSymbol(type_id, module)
        problem = f"kernel variable {row.name} is of another kind"
        raise TargetError(problem, target=target.name, file=spec.file)
    return _missing(spec, row, target, f"there is no kernel variable {row.name} with a type")


def _address(spec: ObjectSpec, row: ExternSpec, target: Target) -> Resolution:
    found = target.kallsyms.get(row.name, ())
    if not found:
        return _missing(spec, row, target, f"there is no kernel symbol {row.name}")
    if len(found) > 1:
        problem = f"there are {len(found)} kernel symbols {row.name}"
        raise TargetError(problem, target=target.name, file=spec.file)
    return KernelAddress(found[0])


def _missing(spec: ObjectSpec, row: ExternSpec, target: Target, problem: str) -> Missing:
    if row.is_weak:
        return Missing()
    raise TargetError(f"{problem}; it is not __weak", target=target.name, file=spec.file)


def _found(
    spec: ObjectSpec, target: Target, name: str, kind: type[Type]
) -> Iterator[tuple[Btf, str, int]]:
    """The first of this name and kind: its types, module ("" is the kernel) and id, or nothing."""
    if target.btf is None:
        if spec.btf is not None:
            yield from ((spec.btf, "", found) for found in spec.btf.kinded(name, kind)[:1])
        return
    yield from _in_kernel(target, name, kind, None)


def _in_kernel(
    target: Target, name: str, kind: type[Type], module: str | None
) -> Iterator[tuple[Btf, str, int]]:
    kernel = target.btf
    if kernel is None:
        return
    if module in {None, _KERNEL}:
        for found in kernel.kinded(name, kind):
            yield kernel, "", found
            return
    for each in target.modules:
        if module not in {None, each}:
            continue
        btf = target.modules[each]
        for found in btf.kinded(name, kind):
            if found >= btf.first_id:
                yield btf, each, found
                return


def _behind(btf: Btf | None, type_id: int) -> int:
    """A function's prototype, a variable's type."""
    row = btf.type(type_id) if btf is not None else None
    return row.type if isinstance(row, Func | Var) else 0


def _compatible(spec: ObjectSpec, local_id: int, target: Btf, target_id: int) -> bool:
    if spec.btf is None:
        return False
    try:
        return types_compatible(spec.btf, local_id, target, target_id)
    except BtfError:
        return False


def attach_symbol(spec: ObjectSpec, program: FunctionSpec, target: Target) -> KernelSymbol | None:
    """Where the program's SEC() name says that it attaches: a function or tracepoint by BTF.

    None when its type needs nothing of the kind, or its name leaves it open. "MODULE:name" is
    looked for in that module alone. Raises :exc:`TargetError` when it is not there.
    """
    wanted = attach_point(program)
    if wanted is None:
        return None
    prefix, kind, name = wanted
    module, colon, rest = name.rpartition(":")
    name = prefix + rest
    for _, where, type_id in _in_kernel(target, name, kind, module if colon else None):
        return KernelSymbol(type_id, where)
    there = f" in module {module}" if colon else ""
    if target.btf is None:
        problem = f"{program.section}: the kernel's types cannot be read"
    else:
        problem = f"{program.section}: there is no {_WORDS[kind]} {name}{there} to attach to"
    raise TargetError(problem, target=target.name, file=spec.file)


_WORDS: Final = {Func: "function", Typedef: "tracepoint type"}


def attach_point(program: FunctionSpec) -> tuple[str, type[Func | Typedef], str] | None:
    """Prefix, kind of type and name that a program's section asks a kernel's types for."""
    row = section_row(program.section)
    if row is None or row.program_type not in {ProgramType.TRACING, ProgramType.LSM}:
        return None
    place = _ATTACHES.get(row.attach_type) if row.attach_type is not None else None
    _, _, name = program.section.removeprefix("?").removeprefix(row.name).partition("/")
    return (*place, name) if place is not None and name else None
