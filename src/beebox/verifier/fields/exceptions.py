"""Exceptions: ``bpf_throw`` ends the program wherever it is called, however deep.

What the program then returns is what was thrown, or what the function makes of it that the program
names by the tag ``exception_callback:NAME``.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from beebox.isa.instruction import Call, CallKind
from beebox.obj.model import ProgramSpec
from beebox.verifier import exits
from beebox.verifier.fields.exception_callback import callback, names
from beebox.verifier.findings import Refusal
from beebox.verifier.path import Path
from beebox.verifier.shape.cfg import Shape, function_ranges, throws
from beebox.verifier.states import references
from beebox.verifier.subprograms.prototype import Expected, Parameter


def check_throw(path: Path, number: int) -> None:
    """The program ends here, with what R``number`` holds if nothing else makes a result of it."""
    if callback(path.spec) is None:
        exits.check_result(path, number)


def end(path: Path) -> None:
    """Nothing may be held when the program ends in its middle, by no function that called."""
    references.require_none(path, "the program is left", kernel="bpf_throw", everywhere=True)


def check_linkage(spec: ProgramSpec, global_starts: Collection[int]) -> None:
    """Whether the exception callback is there, is one, and is a global function."""
    named, start = names(spec), callback(spec)
    if not named or (start in global_starts and len(named) == 1):
        return
    problem = f"the exception callback {named[0]} is not a global function"
    kernel = f"exception callback '{named[0]}' must have global linkage"
    if len(named) > 1:
        problem = "the program names more than one exception callback"
        kernel = "multiple exception callback tags for main subprog"
    elif start is None:
        problem = f"the exception callback {named[0]} is not there"
        kernel = f"exception callback '{named[0]}' could not be found in BTF"
    raise Refusal("exception", start or 0, problem, kernel=kernel)


def check_callback(path: Path, parameters: Sequence[Parameter]) -> None:
    """Whether the exception callback takes what is thrown, and nothing else."""
    if [parameter.kind for parameter in parameters] != [Expected.NUMBER]:
        start = callback(path.spec) or 0
        raise Refusal(
            "exception", start, "an exception callback takes one argument: what was thrown",
            kernel="exception cb only supports single integer argument",
        )  # fmt: skip


def check_callbacks(spec: ProgramSpec, shape: Shape, callbacks: Collection[int]) -> None:
    """Refuse exceptions in functions that the kernel calls, and in those that they call.

    Also calls of the exception callback.
    """
    start = callback(spec)
    own = shape.function_of(start) if start is not None else -1
    if any(own in called for called in shape.direct):
        pc = next(
            pc
            for pc, insn in enumerate(spec.slots)
            if isinstance(insn, Call)
            and insn.kind is CallKind.SUBPROG
            and isinstance(insn.target, int)
            and pc + 1 + insn.target == start
        )
        raise Refusal(
            "exception", pc, "the program calls its exception callback",
            kernel=f"insn {pc} cannot call exception cb directly",
        )  # fmt: skip
    ranges = function_ranges(shape, len(spec.slots))
    throwing = {
        index: pc
        for index, (start, end_) in enumerate(ranges)
        for pc in range(start, end_)
        if throws(spec.slots[pc])
    }
    reached: set[int] = set()
    work = [*callbacks, own] if own >= 0 else list(callbacks)
    while work:
        index = work.pop()
        if index in reached:
            continue
        reached.add(index)
        work += shape.calls[index]
        if index in throwing:
            pc = throwing[index]
            raise Refusal(
                "exception", pc, "an exception in a function that the kernel calls",
                kernel=f"bpf_throw kfunc (insn {pc}) cannot be called from callback subprog "
                f"{index}",
            )  # fmt: skip
