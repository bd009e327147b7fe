"""Structs that BTF describes as arguments and results of helpers."""

from __future__ import annotations

from typing import Final

from beebox.btf.types import Struct
from beebox.errors import BtfError
from beebox.tables.helpers import Arg, ArgKind, Helper, RetKind
from beebox.verifier.btf_pointers.kernel import kernel_struct, kernel_type
from beebox.verifier.btf_pointers.walk import reaches
from beebox.verifier.findings import Refusal
from beebox.verifier.path import Path
from beebox.verifier.reports.names import bits, kernel_name
from beebox.verifier.result import RegKind
from beebox.verifier.states.value import PtrFlag, Reg

_PER_CPU: Final = (
    PtrFlag.PERCPU,
    PtrFlag.PERCPU | PtrFlag.RCU,
    PtrFlag.PERCPU | PtrFlag.TRUSTED,
)
_PLAIN_OR_TRUSTED: Final = (PtrFlag.NONE, PtrFlag.TRUSTED)
_FLAGS: Final = {
    ArgKind.BTF_ID: (*_PLAIN_OR_TRUSTED, PtrFlag.RCU),
    ArgKind.BTF_ID_SOCK_COMMON: _PLAIN_OR_TRUSTED,
    ArgKind.PERCPU_BTF_ID: _PER_CPU,
}
"""What may be known of a pointer that fits; memory must be trusted."""


def fits(arg: Arg, value: Reg) -> bool:
    """Whether the argument takes a pointer to a struct with such trust."""
    return value.flags in _FLAGS.get(arg.kind, (PtrFlag.TRUSTED,))


def check(path: Path, row: Helper, number: int, arg: Arg, value: Reg) -> None:
    """Whether R``number`` points to the struct that the helper takes. Its trust does :func:`fits`.

    Raises :exc:`Refusal`.
    """
    if arg.kind not in _FLAGS:
        _check_memory(path, row, number, arg, value)
    elif arg.kind is not ArgKind.PERCPU_BTF_ID:
        _check_type(path, row, number, arg, value)
    _check_offset(path, row, number, arg, value)


def _check_memory(path: Path, row: Helper, number: int, arg: Arg, value: Reg) -> None:
    """A struct as plain memory: only read."""
    if arg.kind is not ArgKind.MEM or arg.writes:
        raise Refusal(
            "read-only", path.pc,
            f"argument {number} of bpf_{row.name} is memory that the helper may write into",
            kernel=f"bpf_{row.name}() may write into memory pointed by R{number} "
            f"type={kernel_name(value)}", values=(value,), reg=number,
        )  # fmt: skip


def _check_type(path: Path, row: Helper, number: int, arg: Arg, value: Reg) -> None:
    name = "sock_common" if arg.kind is ArgKind.BTF_ID_SOCK_COMMON else arg.type_name
    if not name or value.type is None:
        raise Refusal("not-supported", path.pc, f"argument {number} of bpf_{row.name}")
    if value.nullable and arg.releases:
        raise Refusal(
            "null-pointer", path.pc, f"argument {number} of bpf_{row.name} may be NULL",
            kernel=f"Possibly NULL pointer passed to helper arg{number}", values=(value,),
            reg=number,
        )  # fmt: skip
    wanted = kernel_type(path, name)
    strict = arg.releases and row.name != "sk_release"
    of_kernel = value.type.btf is wanted.btf
    if of_kernel and reaches(value.type.btf, value.type.id, value.off, wanted.id, strict=strict):
        return
    raise Refusal(
        "argument-type", path.pc,
        f"argument {number} of bpf_{row.name} must point to a struct {name}, but points to a "
        f"struct {value.type.name}",
        kernel=f"R{number} is of type {value.type.name} but {name} is expected",
        values=(value,), reg=number,
    )  # fmt: skip


def _check_offset(path: Path, row: Helper, number: int, arg: Arg, value: Reg) -> None:
    """A constant offset is part of the type; a pointer that may be NULL has none."""
    may_move = not value.nullable and not value.flags & PtrFlag.PERCPU
    name = kernel_name(value)
    if arg.releases and value.off:
        kernel = f"R{number} must have zero offset when passed to release func"
    elif value.off < 0:
        kernel = f"negative offset {name} ptr R{number} off={value.off} disallowed"
    elif value.off and not may_move:
        kernel = f"dereference of modified {name} ptr R{number} off={value.off} disallowed"
    elif not value.scalar.is_const or value.scalar.value:
        kernel = f"variable {name} access var_off={bits(value.scalar)} disallowed"
    else:
        return
    raise Refusal(
        "argument-type", path.pc,
        f"argument {number} of bpf_{row.name} points to no fixed place in its struct",
        kernel=kernel, values=(value,), reg=number,
    )  # fmt: skip


def result(path: Path, row: Helper, ref: int) -> Reg:
    """The struct that a helper returns; a cast of an argument lives as long as that: ``ref``."""
    nullable = row.ret is RetKind.BTF_ID_OR_NULL
    flags = PtrFlag.TRUSTED if row.ret is RetKind.BTF_ID_TRUSTED else PtrFlag.NONE
    return kernel_struct(
        path, row.ret_type_name, flags, nullable=nullable, ref=ref if row.casts else 0
    )


def of_cpu(path: Path, row: Helper, per_cpu: Reg) -> Reg:
    """One CPU's own of what every CPU has one of."""
    nullable = row.ret is RetKind.MEM_OR_BTF_ID_OR_NULL
    id_ = path.new_id() if nullable else 0
    type_ = per_cpu.type
    if type_ is None:
        raise Refusal("internal", path.pc, "a pointer without the type that it points to")
    if isinstance(type_.btf.resolve(type_.id)[1], Struct):
        flags = PtrFlag.NONE
        if per_cpu.flags & PtrFlag.RCU:  # of the program's own objects
            flags = PtrFlag.ALLOC | PtrFlag.RCU
        return path.pointer(RegKind.BTF_ID, flags=flags, type_=type_, nullable=nullable, id_=id_)
    try:
        size = type_.btf.size_of(type_.id)
    except BtfError as error:
        raise Refusal(
            "argument-type", path.pc, f"the variable of bpf_{row.name} has no size",
            kernel="unable to resolve the size of type", values=(per_cpu,), reg=1,
        ) from error  # fmt: skip
    return path.pointer(RegKind.MEM, flags=PtrFlag.RDONLY, range_=size, nullable=nullable, id_=id_)
