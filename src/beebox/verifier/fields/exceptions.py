"""Exceptions: ``bpf_throw`` ends the program wherever it is called, however deep.

What the program then returns is what was thrown, or what the function makes of it that the program
names by the tag ``exception_callback:NAME``.
"""

from __future__ import annotations

from collections.abc import Collection

from beebox.btf.types import Func, FuncProto
from beebox.obj.model import ProgramSpec
from beebox.verifier import exits, references
from beebox.verifier.cfg import Shape, function_ranges, throws
from beebox.verifier.fields.exception_callback import callback
from beebox.verifier.findings import Refusal
from beebox.verifier.path import Path


def check_throw(path: Path, number: int) -> None:
    """The program ends here, with what R``number`` holds if nothing else makes a result of it."""
    if callback(path.spec) is None:
        exits.check_result(path, number)


def end(path: Path) -> None:
    """Nothing may be held when the program ends in its middle, by no function that called."""
    references.require_none(path, "the program is left", kernel="bpf_throw", everywhere=True)


def check_callback(path: Path) -> None:
    """Whether the exception callback takes what is thrown, and nothing else."""
    spec, start = path.spec, callback(path.spec)
    if start is None or spec.btf is None:
        return
    type_id = next(info.type_id for info in spec.functions if info.pc == start)
    row = spec.btf.type(type_id)
    proto = spec.btf.type(row.type) if isinstance(row, Func) else None
    if not isinstance(proto, FuncProto) or len(proto.params) != 1:
        raise Refusal(
            "exception", start, "an exception callback takes one argument: what was thrown",
            kernel="exception cb only supports single integer argument",
        )  # fmt: skip


def check_callbacks(spec: ProgramSpec, shape: Shape, callbacks: Collection[int]) -> None:
    """Refuse exceptions in functions that the kernel calls, and in those that they call."""
    ranges = function_ranges(shape, len(spec.slots))
    throwing = {
        index: pc
        for index, (start, end_) in enumerate(ranges)
        for pc in range(start, end_)
        if throws(spec.slots[pc])
    }
    reached: set[int] = set()
    work = list(callbacks) if throwing else []
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
