"""One call of a kernel function, from who may call to what is known after: ``check_kfunc_call``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from beebox.isa.instruction import Call
from beebox.tables.kfuncs import KfuncFlags
from beebox.verifier import packet, references
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
from beebox.verifier.prune import Pruner
from beebox.verifier.state import State

_MOVES_PACKET: Final = frozenset({"bpf_xdp_pull_data"})


def call(path: Path, insn: Call, push: Callable[[State], None], pruner: Pruner) -> None:
    """Check the arguments, void R1-R5, set R0. ``push`` explores another state later, too."""
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
    for number in range(1, 6):
        path.regs[number] = None
    path.regs[0] = results.result(made)
    if proto.name in _MOVES_PACKET:
        packet.void_pointers(path)
    if proto.has(KfuncFlags.ITER_NEXT):
        iterators.fork(made)
