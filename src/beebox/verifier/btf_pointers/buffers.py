"""Buffers whose size the kernel checks when a program attaches: of iterators and tracepoints."""

from __future__ import annotations

from beebox.verifier.findings import Refusal
from beebox.verifier.path import Path
from beebox.verifier.reports.names import bits, kernel_name
from beebox.verifier.result import RegKind
from beebox.verifier.states.value import PtrFlag, Reg


def check(path: Path, base: Reg, number: int, offset: int, size: int, *, write: bool) -> None:
    """Whether ``size`` bytes at ``base + offset`` may be accessed: at a constant offset, any."""
    at = base.off + offset
    read_only = bool(base.flags & PtrFlag.RDONLY)
    if write and read_only:
        raise Refusal(
            "read-only", path.pc, f"R{number} points to a buffer that is only read",
            kernel=f"R{number} cannot write into {kernel_name(base)}", values=(base,), reg=number,
        )  # fmt: skip
    if at < 0:
        what = "tracepoint" if base.kind is RegKind.TP_BUFFER else "rdonly" if read_only else "rdwr"
        problem = f"offset {at} lies before the start of the buffer"
        kernel = f"R{number} invalid {what} buffer access: off={at}, size={size}"
    elif not base.scalar.is_const or base.scalar.value:
        problem = "the buffer is accessed at constant offsets"
        kernel = f"R{number} invalid variable buffer offset: off={at}, var_off={bits(base.scalar)}"
    else:
        return
    raise Refusal("memory-bounds", path.pc, problem, kernel=kernel, values=(base,), reg=number)
