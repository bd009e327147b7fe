"""What an object leaves to its target, settled: CO-RE, externs, attach points.

:func:`resolve` stands between reading (or editing) an object and linking it. An object that asks
for nothing passes untouched, and no part of the target is read that nothing asks for.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from beebox.btf.wire import Kind
from beebox.errors import NotSupportedError, ObjectError
from beebox.isa.instruction import Call, LoadImm64, SubprogRef
from beebox.obj.linker import exception_callback
from beebox.obj.model import KernelSymbol, ObjectSpec
from beebox.tables.program_types import ProgramType
from beebox.tables.sections import section_row

if TYPE_CHECKING:
    from beebox.obj.targets.target import Target

_BY_BTF: Final = frozenset({ProgramType.TRACING, ProgramType.LSM})
"""Program types that may attach by a BTF id."""


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
    asks = spec.externs or any(function.core for function in spec.functions.values())
    attached = [name for name in names if _may_attach(spec, name)]
    members = [name for name in names if _stands_for_member(spec, name)]
    if not asks and not attached and not members:
        return spec
    from beebox.obj.targets.host import host  # noqa: PLC0415 -- most objects need none of it

    target = host() if target is None else target
    reached = reachable(spec, names) if asks else ()
    if any(spec.functions[name].core for name in reached):
        from beebox.obj.targets.core_relocation import relocate_functions  # noqa: PLC0415 -- the same

        functions = relocate_functions(spec, target, reached)
        spec = replace(spec, functions={**spec.functions, **functions})
    if not spec.externs and not attached and not members:
        return spec
    symbols = _with_symbols(target) if kernel is None else kernel
    if spec.externs:
        from beebox.obj.targets.extern_uses import with_externs  # noqa: PLC0415 -- the same

        spec = with_externs(spec, target, symbols, reached)
    if attached and (kernel is not None or symbols.btf is not None):
        from beebox.obj.targets.kernel_symbols import attach_symbol  # noqa: PLC0415 -- the same

        found = {name: attach_symbol(spec, spec.functions[name], symbols) for name in attached}
        known = {name: place for name, place in found.items() if place is not None}
        spec = replace(spec, attach_symbols={**spec.attach_symbols, **known})
    if members and symbols.btf is not None:
        symbols_of = {**_member_symbols(spec, members, symbols), **spec.attach_symbols}
        spec = replace(spec, attach_symbols=symbols_of)
    return spec


def _stands_for_member(spec: ObjectSpec, name: str) -> bool:
    """Whether it is a struct_ops program, and the spec does not say yet which function it is."""
    function = spec.functions.get(name)
    row = section_row(function.section) if function is not None else None
    is_member = row is not None and row.program_type is ProgramType.STRUCT_OPS
    return is_member and name not in spec.attach_symbols


def _member_symbols(
    spec: ObjectSpec, names: Sequence[str], target: Target
) -> dict[str, KernelSymbol]:
    """The members of structs that programs stand for; none where the target lacks the member.

    Whoever makes the map says what is missing: here a program is left without its place.
    """
    from beebox.obj.struct_ops import layout, program_symbols  # noqa: PLC0415 -- as above

    found: dict[str, KernelSymbol] = {}
    for map_name, row in spec.maps.items():
        if any(program in names for _, program in row.slots):
            with suppress(NotSupportedError, ObjectError):
                found = {**program_symbols({map_name: layout(row, spec.btf, target)}), **found}
    return {name: place for name, place in found.items() if name in names}


def _with_symbols(target: Target) -> Target:
    """The target, or the running kernel where its types have no function: they are a selection."""
    if target.btf is None or target.btf.of_kind(Kind.FUNC):
        return target
    from beebox.obj.targets.host import host  # noqa: PLC0415 -- as above

    return host()


def _may_attach(spec: ObjectSpec, name: str) -> bool:
    """Whether its type may attach by BTF, and the spec does not say yet where."""
    function = spec.functions.get(name)
    row = section_row(function.section) if function is not None else None
    return row is not None and row.program_type in _BY_BTF and name not in spec.attach_symbols


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
