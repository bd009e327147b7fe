"""What an object leaves to its target, settled: CO-RE, externs, attach points.

:func:`resolve` stands between reading (or editing) an object and linking it. An object that asks
for nothing passes untouched, and no part of the target is read that nothing asks for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from beebox.isa.instruction import Call, LoadImm64, SubprogRef
from beebox.obj.core_relocation import relocate_functions
from beebox.obj.host import host
from beebox.obj.model import ObjectSpec
from beebox.obj.target import Target


def resolve(
    spec: ObjectSpec,
    target: Target | None,
    names: Sequence[str],
    *,
    kernel: Target | None = None,  # noqa: ARG001 -- for externs, which come next
) -> ObjectSpec:
    """``spec`` with everything settled that the programs ``names`` reach.

    ``target`` is what CO-RE relocates against, None the running kernel; where a target has no
    types to read, the object's own take their place. Externs and attach points are looked up in
    ``kernel``, which is where the programs will be loaded, by default in the target, too.

    Raises :exc:`TargetError` where the target lacks, or has several of, what must be there,
    :exc:`ObjectError` for relocations that do not fit their instructions.
    """
    target = host() if target is None else target
    reached = reachable(spec, names)
    if any(spec.functions[name].core for name in reached):
        functions = relocate_functions(spec, target, reached)
        spec = replace(spec, functions={**spec.functions, **functions})
    return spec


def reachable(spec: ObjectSpec, names: Sequence[str]) -> tuple[str, ...]:
    """The functions that ``names`` call, directly or not, and themselves, in the object's order.

    What is not there is left to the linker.
    """
    found = {name for name in names if name in spec.functions}
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
