"""The types that some objects need of a kernel: a BTF to ship to where the kernel has none."""

from __future__ import annotations

from collections.abc import Sequence

from beebox.btf.core_relocations import Relocated, Undecided, calculate
from beebox.btf.minimise import Kept
from beebox.btf.types import Btf
from beebox.errors import BtfError, ObjectError, TargetError
from beebox.obj.model import ObjectSpec
from beebox.obj.targets.core_relocation import candidates_for
from beebox.obj.targets.target import target_of_btf


def minimal_types(specs: Sequence[ObjectSpec], whole: Btf, name: str = "<btf>") -> Btf:
    """The part of ``whole`` that the CO-RE relocations of every function of ``specs`` touch.

    Each object relocates against it as against ``whole``, which ``name`` is for messages. Raises
    :exc:`TargetError` for an object that cannot be relocated against ``whole`` at all.
    """
    kept = Kept(whole)
    target = target_of_btf(whole, name)
    for spec in specs:
        functions = [function for function in spec.functions.values() if function.core]
        if not functions:
            continue
        if spec.btf is None:
            raise ObjectError("has CO-RE relocations and no BTF", file=spec.file)
        candidates = candidates_for(spec.btf, target)
        for function in functions:
            for row in function.core:
                place = f"{function.name}, insn {row.pc}"
                try:
                    outcome = calculate(candidates, row.kind, row.type_id, row.access)
                except BtfError as error:
                    raise ObjectError(f"{place}: {error}", file=spec.file) from None
                match outcome:
                    case Undecided(why):
                        raise TargetError(
                            f"{place}: {row.kind.name} is ambiguous: {why}",
                            target=name,
                            file=spec.file,
                        )
                    case Relocated():
                        kept.add(row.kind, outcome)
    return kept.build()
