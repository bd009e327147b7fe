"""Direct loads and stores: not of the kernel's fields, but of pointers among them."""

from __future__ import annotations

from beebox.verifier.fields import lookup
from beebox.verifier.fields.record import POINTERS, Field, Record
from beebox.verifier.findings import Refusal
from beebox.verifier.path import Path
from beebox.verifier.states.value import Reg, TypeRef


def check_object(path: Path, base: Reg, type_: TypeRef, at: int, size: int) -> None:
    """Whether ``size`` bytes at ``at`` of an object that the program made are its own."""
    record = lookup.of_type(path, type_)
    for field in record.touched(at, at + size) if record is not None else ():
        label = field.kind.value.label
        raise Refusal(
            "kernel-fields", path.pc,
            f"an access to {size} bytes at offset {at} of struct {type_.name} touches the {label} "
            f"at offset {field.offset}, which belongs to the kernel",
            kernel=f"direct access to {label} is disallowed", values=(base,),
        )  # fmt: skip


def check(
    path: Path, record: Record, base: Reg, offset: int, size: int, *, direct: bool
) -> Field | None:
    """Whether ``size`` bytes at ``base + offset``, which are inside the value, may be accessed.

    ``direct``: by the program's own load or store; a helper never touches the fields. A pointer
    that is accessed whole is returned.
    """
    start = base.off + offset
    low, high = start + base.scalar.smin, start + base.scalar.umax + size
    for field in record.touched(low, high):
        label = field.kind.value.label
        if field.kind not in POINTERS:
            kernel = f"{label} cannot be accessed directly by load/store"
        elif not direct:
            kernel = f"{label} cannot be accessed indirectly by helper"
        elif not base.scalar.is_const:
            kernel = f"{label} access cannot have variable offset"
        elif low != field.offset:
            kernel = f"{label} access misaligned expected={field.offset} off={low}"
        elif size != field.kind.value.size:
            kernel = f"{label} access size must be BPF_DW"
        else:
            return field
        where = f"{low}" if base.scalar.is_const else f"{low}..{high - size}"
        raise Refusal(
            "kernel-fields", path.pc,
            f"an access to {size} bytes at offset {where} touches the {label} at offset "
            f"{field.offset}, which belongs to the kernel",
            kernel=kernel, values=(base,),
        )  # fmt: skip
    return None
