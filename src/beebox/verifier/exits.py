"""The end of a program: which results its type and attach type allow."""

from __future__ import annotations

from typing import Final

from beebox.btf.types import Ptr
from beebox.tables.program_types import AttachType, ProgramType, ReturnRange
from beebox.verifier.btf_pointers.contexts import result_range
from beebox.verifier.findings import Refusal
from beebox.verifier.numbers.scalar import S64_MAX, S64_MIN
from beebox.verifier.path import Path
from beebox.verifier.profiles import leaks
from beebox.verifier.reports.names import kernel_name, plain_name
from beebox.verifier.result import RegKind
from beebox.verifier.states import references
from beebox.verifier.states.value import Reg

_EXIT: Final = "BPF_EXIT instruction in main prog"


def finish(path: Path) -> None:
    """Check what R0 holds where the outermost function exits."""
    references.require_none(path, "the program ends", kernel=_EXIT)
    check_result(path, 0)


def check_result(path: Path, number: int) -> None:
    """Whether the program may return what R``number`` holds."""
    if _ends_for_nobody(path):
        return
    value = path.regs[number]
    if value is None:
        raise Refusal(
            "return-value", path.pc, f"the program ends without a result in R{number}",
            kernel=f"R{number} !read_ok", reg=number,
        )  # fmt: skip
    kernel = f"R{number} leaks addr as return value"
    leaks.check(path, value, number, "the program's result", kernel=kernel)
    frame = path.state.frames[0]
    if frame.function and not frame.deferred and frame.function != path.exception_callback:
        _require_number(path, value)
        return
    allowed = _allowed(path)
    when, who = "At program exit", _who(path)
    if frame.deferred:
        low, high = frame.returns
        when, who = "At async callback return", "a function that is called later"
    elif allowed is not None:
        low, high = allowed.low, allowed.high
    else:
        return
    if value.kind is not RegKind.SCALAR:
        raise Refusal(
            "return-value", path.pc,
            f"the result must be a number in {low}..={high}, but is {plain_name(value)}",
            kernel=f"{when} the register R{number} is not a known value ({kernel_name(value)})",
            values=(value,), reg=number,
        )  # fmt: skip
    path.precise(value)
    in_range = low <= value.scalar.smin and value.scalar.smax <= high
    if path.attach_type is AttachType.LSM_MAC and not frame.deferred:  # a hook's result is an int
        in_range = low <= value.scalar.s32_min and value.scalar.s32_max <= high
    if not in_range:
        found = " ".join(
            f"{name}={end}"
            for name, end, none in (
                ("smin", value.scalar.smin, S64_MIN), ("smax", value.scalar.smax, S64_MAX)
            )
            if end != none
        )  # fmt: skip
        raise Refusal(
            "return-range", path.pc,
            f"{who} may return {low}..={high}, but R{number} is {value.scalar!r}",
            kernel=f"{when} the register R{number} has {found or 'unknown scalar value'} should "
            f"have been in [{low}, {high}]", values=(value,), reg=number,
            access=(low, 0, high),
        )  # fmt: skip


def _ends_for_nobody(path: Path) -> bool:
    """Whether the program itself ends, in the place of a function that returns nothing."""
    attach, frame = path.attach, path.state.frames[0]
    if attach is None or attach.result or frame.deferred:
        return False
    if frame.function and frame.function != path.exception_callback:
        return False
    return path.spec.type is ProgramType.STRUCT_OPS or path.attach_type is AttachType.LSM_MAC


def _require_number(path: Path, value: Reg) -> None:
    """What a global function returns, which was explored by itself."""
    if value.kind is not RegKind.SCALAR:
        raise Refusal(
            "return-value", path.pc,
            f"a global function must return a number, but returns {plain_name(value)}",
            kernel="At subprogram exit the register R0 is not a scalar value "
            f"({kernel_name(value)})", values=(value,), reg=0,
        )  # fmt: skip


def _allowed(path: Path) -> ReturnRange | None:
    attach = path.attach
    if path.extends:
        return None  # whatever the function returns
    if attach is not None and path.attach_type is AttachType.LSM_CGROUP and not attach.result:
        return ReturnRange(1, 1)  # the hook's result cannot be changed
    if attach is not None and path.attach_type is AttachType.LSM_MAC:
        known = result_range(path.spec, attach)
        return None if known is None else ReturnRange(*known)
    if attach is not None and path.spec.type is ProgramType.STRUCT_OPS:
        pointer = attach.btf.resolve(attach.result)[1]
        return ReturnRange(0, 0) if isinstance(pointer, Ptr) else None
    for allowed in path.spec.type.value.returns:
        if not allowed.attach_types or path.attach_type in allowed.attach_types:
            return allowed
    return None


def _who(path: Path) -> str:
    attach: AttachType | None = path.spec.attach_type
    of = f" ({attach.name.lower()})" if attach is not None else ""
    return f"a {path.spec.type.value.name}{of} program"
