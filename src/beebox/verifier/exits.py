"""The end of a program: which results its type and attach type allow."""

from __future__ import annotations

from beebox.tables.program_types import AttachType, ReturnRange
from beebox.verifier import references
from beebox.verifier.findings import Refusal
from beebox.verifier.names import plain_name
from beebox.verifier.path import Path
from beebox.verifier.result import RegKind


def finish(path: Path) -> None:
    """Check what R0 holds where the outermost function exits."""
    references.require_none(path, "the program ends")
    value = path.regs[0]
    if value is None:
        raise Refusal(
            "return-value", path.pc, "the program ends without a result in R0",
            kernel="R0 !read_ok", reg=0,
        )  # fmt: skip
    allowed = _allowed(path)
    if allowed is None:
        return
    low, high = allowed.low, allowed.high
    if value.kind is not RegKind.SCALAR:
        raise Refusal(
            "return-value", path.pc,
            f"the result must be a number in {low}..={high}, but is {plain_name(value)}",
            kernel=f"At program exit the register R0 is not a known value ({value.kind.name})",
            values=(value,), reg=0,
        )  # fmt: skip
    path.precise(value)
    if value.scalar.smin < low or value.scalar.smax > high:
        found = f"smin={value.scalar.smin} smax={value.scalar.smax}"
        raise Refusal(
            "return-range", path.pc,
            f"{_who(path)} may return {low}..={high}, but R0 is {value.scalar!r}",
            kernel=f"At program exit the register R0 has {found} should have been in "
            f"[{low}, {high}]", values=(value,), reg=0,
        )  # fmt: skip


def _allowed(path: Path) -> ReturnRange | None:
    """The range that holds for the program; without an attach type, Linux takes number 0."""
    row = path.spec.type.value
    attach = path.spec.attach_type
    if attach is None:
        attach = next((type_ for type_ in row.attach_types if type_.value == 0), None)
    for allowed in row.returns:
        if not allowed.attach_types or attach in allowed.attach_types:
            return allowed
    return None


def _who(path: Path) -> str:
    attach: AttachType | None = path.spec.attach_type
    of = f" ({attach.name.lower()})" if attach is not None else ""
    return f"a {path.spec.type.value.name}{of} program"
