"""What a call of a global function hands over: each argument must be what the prototype says.

As Linux's ``btf_check_func_arg_match``. Memory may be of any kind that the program could give to a
helper; the function may read and write all of it, so the caller must be able to.
"""

from __future__ import annotations

from typing import Final, NoReturn

from beebox.btf.types import Func
from beebox.verifier.accesses import memory, packet, stack
from beebox.verifier.dynptrs import helpers as dynptrs
from beebox.verifier.dynptrs import slots
from beebox.verifier.findings import Refusal
from beebox.verifier.path import Path
from beebox.verifier.reports.names import kernel_name, plain_name
from beebox.verifier.result import RegKind
from beebox.verifier.states.references import not_null
from beebox.verifier.states.value import PtrFlag, Reg
from beebox.verifier.subprograms.prototype import Expected, Parameter

_MOVABLE: Final = (
    RegKind.SCALAR,
    RegKind.STACK,
    RegKind.PACKET,
    RegKind.PACKET_META,
    RegKind.MAP_KEY,
    RegKind.MAP_VALUE,
    RegKind.MEM,
    RegKind.BUF,
    RegKind.ARENA,
    RegKind.BTF_ID,
)
"""What may be passed on when it no longer points to the start of its object."""


def check(path: Path, function: Func, parameters: tuple[Parameter, ...]) -> None:
    """Whether R1-R5 fit. Raises :exc:`Refusal`."""
    for number, parameter in enumerate(parameters, 1):
        value = path.regs[number]
        match parameter.kind:
            case Expected.NUMBER:
                if value is None or value.kind is not RegKind.SCALAR:
                    _wrong(path, function, number, value, f"R{number} is not a scalar")
            case Expected.MEMORY | Expected.BTF_ID if parameter.flags & PtrFlag.UNTRUSTED:
                pass  # it is read only in ways that survive any address
            case Expected.CTX:
                if value is not None and value.kind not in _MOVABLE:
                    _require_at_start(path, function, number, value)
                if value is None or value.kind is not RegKind.CTX:
                    _wrong(
                        path, function, number, value, f"arg#{number - 1} expects pointer to ctx"
                    )
            case Expected.MEMORY:
                _check_memory(path, function, number, value, parameter)
            case Expected.ARENA:
                if value is None or value.kind not in (RegKind.ARENA, RegKind.SCALAR):
                    told = f"R{number} is not a pointer to arena or scalar."
                    _wrong(path, function, number, value, told)
            case Expected.BTF_ID:
                _check_struct(path, function, number, value, parameter)
            case Expected.DYNPTR:
                if value is not None and value.kind not in _MOVABLE:
                    _require_at_start(path, function, number, value)
                dynptrs.require_dynptr(path, number, value)
                if value is not None:
                    slots.found(path, value, number)


def _check_memory(
    path: Path, function: Func, number: int, value: Reg | None, parameter: Parameter
) -> None:
    if value is None:
        _wrong(path, function, number, value, f"R{number} type=? expected=fp")
    if value.kind not in _MOVABLE:
        _require_at_start(path, function, number, value)
    if _is_null(value):
        if not parameter.nullable:  # Linux takes it, and the function would use it
            _wrong(path, function, number, value, f"arg#{number - 1} is expected to be non-NULL")
        return
    present = not_null(path, value) if value.nullable else value
    for write in (False, True):
        _access(path, function, number, present, parameter.size, write=write)
    if value.nullable and not parameter.nullable:
        _wrong(path, function, number, value, f"arg#{number - 1} is expected to be non-NULL")


def _access(path: Path, function: Func, number: int, value: Reg, size: int, *, write: bool) -> None:
    match value.kind:
        case RegKind.STACK:
            low, high = stack.observe(path, value, number, size, write=write)
            if write:
                stack.smear(path, value.frame, low, high)
        case RegKind.PACKET | RegKind.PACKET_META:
            packet.check_bounds(path, value, number, 0, size, write=write)
        case RegKind.MAP_KEY:
            memory.check_key(path, value, number, 0, size, write=write, by_helper=True)
        case RegKind.MAP_VALUE | RegKind.MEM:
            if write and value.flags & PtrFlag.RDONLY:
                told = f"R{number} cannot write into {kernel_name(value)}"
                _wrong(path, function, number, value, told)
            memory.check_region(path, value, number, 0, size, write=write)
        case RegKind.BTF_ID | RegKind.BUF | RegKind.TP_BUFFER:
            raise Refusal(
                "not-supported", path.pc,
                f"{plain_name(value)} as memory for {function.name} is not verified yet",
            )  # fmt: skip
        case _:
            told = f"R{number} type={kernel_name(value)} expected=fp"
            _wrong(path, function, number, value, told)


def _check_struct(
    path: Path, function: Func, number: int, value: Reg | None, parameter: Parameter
) -> None:
    """A trusted pointer to a struct of the kernel."""
    if value is not None and _is_null(value) and parameter.nullable:
        return
    fits = (
        value is not None
        and value.kind is RegKind.BTF_ID
        and value.type is parameter.type
        and bool(value.ref or value.flags & PtrFlag.TRUSTED)
        and not value.flags & (PtrFlag.UNTRUSTED | PtrFlag.ALLOC | PtrFlag.PERCPU | PtrFlag.USER)
        and (parameter.nullable or not value.nullable)
    )
    if not fits or value is None:
        found = kernel_name(value) if value is not None else "?"
        told = f"R{number} type={found} expected=ptr_, trusted_ptr_, rcu_ptr_"
        _wrong(path, function, number, value, told)
    _require_at_start(path, function, number, value)


def _require_at_start(path: Path, function: Func, number: int, value: Reg) -> None:
    if value.kind is RegKind.SCALAR:
        return
    if value.off or not value.scalar.is_const or value.scalar.value:
        told = f"dereference of modified {kernel_name(value)} ptr R{number} off={value.off}"
        _wrong(path, function, number, value, f"{told} disallowed")


def _is_null(value: Reg) -> bool:
    scalar = value.scalar
    return value.kind is RegKind.SCALAR and scalar.is_const and scalar.value == 0


def _wrong(path: Path, function: Func, number: int, value: Reg | None, kernel: str) -> NoReturn:
    found = plain_name(value) if value is not None else "nothing"
    raise Refusal(
        "function-argument", path.pc,
        f"argument {number} of {function.name} does not fit its type: it is {found}",
        kernel=kernel, values=(value,), reg=number,
    )  # fmt: skip
