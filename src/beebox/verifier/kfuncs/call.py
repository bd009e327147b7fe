"""One call of a kernel function, from who may call to what is known after: ``check_kfunc_call``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from beebox.isa.instruction import Call, CallKind
from beebox.tables.kfuncs import KfuncFlags
from beebox.verifier.accesses import packet
from beebox.verifier.fields import exceptions
from beebox.verifier.findings import Refusal
from beebox.verifier.kfuncs import (
    arguments,
    field_arguments,
    iterators,
    prototype,
    results,
    sections,
)
from beebox.verifier.kfuncs.invocation import KfuncCall
from beebox.verifier.path import Path
from beebox.verifier.pruning.prune import Pruner
from beebox.verifier.shape.license import GPL
from beebox.verifier.states import references
from beebox.verifier.states.state import State

_CALLED_FROM_DRIVERS: Final = "bpf_xdp_metadata_"
_MOVES_PACKET: Final = frozenset({"bpf_xdp_pull_data"})


def call(path: Path, insn: Call, push: Callable[[State], None], pruner: Pruner) -> None:
    """Check the arguments, void R1-R5, set R0. ``push`` explores another state later, too."""
    if path.release is not None:
        path.release.check_kfunc(insn, path.pc)
    proto = prototype.find(path, insn)
    if proto.name == "__bpf_trap":
        raise Refusal(
            "uninitialised-register", path.pc,
            "the compiler found that this is only reached where a variable was never set",
            kernel="unexpected __bpf_trap() due to uninitialized variable?",
        )  # fmt: skip
    prototype.check_caller(path, proto)
    made = KfuncCall(path, proto, push, pruner)
    arguments.check(made)
    sections.cross(made)
    if made.released is not None:
        references.release(path, made.released.value.ref)
    field_arguments.finish(made)
    if proto.name == "bpf_throw":
        exceptions.check_throw(path, 1)
    for number in range(1, 6):
        path.regs[number] = None
    path.regs[0] = results.result(made)
    if proto.name in _MOVES_PACKET or made.moves_packet:
        packet.void_pointers(path)
    if proto.has(KfuncFlags.ITER_NEXT):
        iterators.fork(made)


def check_program(path: Path) -> None:
    """What Linux asks of all calls of kernel functions before it looks at any instruction."""
    for pc, insn in enumerate(path.spec.slots):
        if not isinstance(insn, Call) or insn.kind is not CallKind.KFUNC:
            continue
        if path.spec.license not in GPL:
            raise Refusal(
                "helper-gpl", pc, "kernel functions need a GPL-compatible license, not "
                f"{path.spec.license!r}",
                kernel="cannot call kernel function from non-GPL compatible program",
            )  # fmt: skip
        name = str(getattr(insn.target, "name", ""))
        if name.startswith(_CALLED_FROM_DRIVERS):
            raise Refusal(
                "kfunc-not-allowed", pc,
                f"{name} is for programs that are loaded for one device, which beebox does not do",
                kernel="metadata kfuncs require device-bound program",
            )  # fmt: skip
