"""Helpers with dynptrs: their arguments, and the slices that ``bpf_dynptr_data`` gives."""

from __future__ import annotations

from typing import Final

from beebox.tables.helpers import Arg
from beebox.verifier.accesses import stack
from beebox.verifier.dynptrs import slots
from beebox.verifier.dynptrs.slots import DynptrType
from beebox.verifier.findings import Refusal
from beebox.verifier.path import Path
from beebox.verifier.reports.names import kernel_name, plain_name
from beebox.verifier.result import RegKind
from beebox.verifier.states.value import Reg

_TYPES: Final = {"local": DynptrType.LOCAL, "ringbuf": DynptrType.RINGBUF}


WRITES: Final = frozenset(
    {
        "bpf_dynptr_copy",
        "bpf_dynptr_memset",
        "bpf_probe_read_user_dynptr",
        "bpf_probe_read_kernel_dynptr",
        "bpf_probe_read_user_str_dynptr",
        "bpf_probe_read_kernel_str_dynptr",
        "bpf_copy_from_user_dynptr",
        "bpf_copy_from_user_str_dynptr",
        "bpf_copy_from_user_task_dynptr",
        "bpf_copy_from_user_task_str_dynptr",
    }
)
"""They write through the dynptr in their first argument, as ``bpf_dynptr_write`` does."""


def check_argument(path: Path, arg: Arg, number: int, value: Reg) -> Reg | None:
    """Check, and make, the dynptr of a helper's argument. None where it is only made now."""
    if arg.uninit:
        initialise(path, number, value, _TYPES[arg.type_name])
        return None
    if arg.releases:
        _require_owned(path, number, value)
    dynptr = slots.found(path, value, number)
    wanted = _TYPES.get(arg.type_name)
    if wanted is not None and slots.type_of(dynptr) is not wanted:
        raise Refusal(
            "dynptr", path.pc,
            f"argument {number} must be a dynptr of type {arg.type_name}, but is one of type "
            f"{slots.type_of(dynptr).name.lower()}",
            kernel=f"Expected a dynptr of type {arg.type_name} as arg #{number - 1}",
            values=(value,), reg=number,
        )  # fmt: skip
    return dynptr


def initialise(path: Path, number: int, value: Reg, type_: DynptrType, ref: int = 0) -> None:
    """A call makes a dynptr of 16 bytes of stack."""
    if value.kind is RegKind.DYNPTR:
        raise Refusal(
            "dynptr", path.pc, f"argument {number} is a dynptr that was given to the function",
            kernel="Dynptr has to be an uninitialized dynptr", values=(value,), reg=number,
        )  # fmt: skip
    slots.place(path, value, number)
    for offset in (0, 8):
        stack.alter(path, value, number, offset, 8)
    slots.make(path, value, number, type_, ref)


def _require_owned(path: Path, number: int, value: Reg) -> None:
    """A release needs a dynptr on the stack that holds a reference."""
    if value.kind is RegKind.DYNPTR:
        raise Refusal(
            "dynptr", path.pc, "a dynptr that was given to the function cannot be released",
            kernel="cannot release unowned const bpf_dynptr", values=(value,), reg=number,
        )  # fmt: skip
    index = slots.place(path, value, number)
    slot = path.state.frames[value.frame].stack[index] if index is not None else None
    if slot is None or slot.reg is None or not slot.reg.ref:
        raise Refusal(
            "reference-missing", path.pc,
            f"argument {number} is no dynptr with a reference that could be released",
            kernel=f"arg {number} is an unacquired reference", values=(value,), reg=number,
        )  # fmt: skip


def require_dynptr(path: Path, number: int, value: Reg | None) -> None:
    """Refuse what is neither a pointer into the stack nor a dynptr that a function was given."""
    if value is None or value.kind not in (RegKind.STACK, RegKind.DYNPTR):
        found = plain_name(value) if value is not None else "not set"
        raise Refusal(
            "argument-type", path.pc,
            f"argument {number} must be a dynptr on the stack, but is {found}",
            kernel=f"arg#{number - 1} expected pointer to stack or const struct bpf_dynptr",
            values=(value,), reg=number,
        )  # fmt: skip


def check_memory(path: Path, value: Reg) -> None:
    """``bpf_dynptr_from_mem`` takes values of maps only."""
    if value.kind is not RegKind.MAP_VALUE:
        raise Refusal(
            "argument-type", path.pc,
            f"bpf_dynptr_from_mem takes a pointer to a map value, not {plain_name(value)}",
            kernel=f"Unsupported reg type {kernel_name(value)} for bpf_dynptr_from_mem data",
            values=(value,), reg=1,
        )  # fmt: skip


def slice_(path: Path, dynptr: Reg, size: int) -> Reg:
    """What ``bpf_dynptr_data`` gives: memory that lives as long as the dynptr, or NULL."""
    return path.pointer(
        RegKind.MEM, id_=path.new_id(), ref=dynptr.ref, range_=size, frame=dynptr.id, nullable=True
    )  # fmt: skip


def changes_packet(helper: str, dynptr: Reg | None) -> bool:
    """Whether a call writes into a packet, which may move it."""
    return helper == "dynptr_write" and dynptr is not None and slots.type_of(dynptr).moves
