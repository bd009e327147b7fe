"""Objects that programs make of structs of their own, one or one for each CPU."""

from __future__ import annotations

from typing import Final

from beebox.btf.types import Struct
from beebox.verifier.fields import lookup
from beebox.verifier.fields.record import FieldKind
from beebox.verifier.findings import Refusal
from beebox.verifier.kfuncs.argument_classes import scalar_struct
from beebox.verifier.path import Path
from beebox.verifier.result import RegKind
from beebox.verifier.states.value import PtrFlag, Reg, TypeRef

NEW: Final = "bpf_obj_new_impl"
NEW_PERCPU: Final = "bpf_percpu_obj_new_impl"
SHARE: Final = "bpf_refcount_acquire_impl"
_DROPS: Final = {
    "bpf_obj_drop_impl": PtrFlag.ALLOC,
    "bpf_percpu_obj_drop_impl": PtrFlag.ALLOC | PtrFlag.PERCPU,
}
_MOST_PERCPU_BYTES: Final = 512
_U32_MAX: Final = (1 << 32) - 1


def make(path: Path, name: str, type_id: int) -> Reg:
    """A new object of the program's struct ``type_id``, before it is known to be one."""
    btf = path.spec.btf
    if type_id > _U32_MAX:
        text, kernel = "the type's id is no u32", "local type ID argument must be in range [0, "
        raise _wrong_type(path, text, kernel + "U32_MAX]")
    if btf is None:
        kernel = "bpf_obj_new/bpf_percpu_obj_new requires prog BTF"
        raise _wrong_type(path, "the program has no types", kernel)
    row = btf.type(type_id) if 0 < type_id <= len(btf) else None
    if not isinstance(row, Struct) or row.union:
        kernel = "bpf_obj_new/bpf_percpu_obj_new type ID argument must be of a struct"
        raise _wrong_type(path, "only structs can be made", kernel)
    type_ = path.type_ref(btf, type_id)
    record = lookup.of_type(path, type_)
    flags = PtrFlag.ALLOC
    if name == NEW_PERCPU:
        flags |= PtrFlag.PERCPU
        problem = ""
        if row.size > _MOST_PERCPU_BYTES:
            problem = f"size ({row.size}) is greater than {_MOST_PERCPU_BYTES}"
        elif not scalar_struct(btf, row):
            problem = "ID argument must be of a struct of scalars"
        elif record is not None:
            problem = "ID argument must not contain special fields"
        if problem:
            kernel = f"bpf_percpu_obj_new type {problem}"
            raise _wrong_type(path, f"struct {row.name} for each CPU: its {problem}", kernel)
    return path.pointer(RegKind.BTF_ID, flags=flags, type_=type_)


def share(path: Path, type_: TypeRef) -> Reg:
    """One more reference to an object."""
    return path.pointer(RegKind.BTF_ID, flags=PtrFlag.ALLOC, type_=type_)


def check_dropped(path: Path, name: str, number: int, value: Reg) -> None:
    """Whether R``number`` is an object that the program made and owns, as the function takes it."""
    at = f"arg#{number - 1}"
    kinds = {flags: of for of, flags in _DROPS.items()}
    kernel = ""
    if value.kind is not RegKind.BTF_ID or value.flags not in kinds or value.nullable:
        kernel = f"{at} expected pointer to allocated object"
    elif kinds[value.flags] != name:
        kernel = f"{at} expected for {kinds[value.flags]}()"
    elif not value.ref:
        kernel = "allocated object must be referenced"
    if kernel:
        raise Refusal(
            "argument-type", path.pc, f"argument {number} of {name} must be an object that the "
            "program made and still owns", kernel=kernel, values=(value,), reg=number,
        )  # fmt: skip


def check_counted(path: Path, number: int, value: Reg) -> tuple[TypeRef, bool]:
    """Whether R``number`` is an object with a reference count: its type, whether it is owned."""
    at = f"arg#{number - 1}"
    if value.kind is not RegKind.BTF_ID or not value.flags & PtrFlag.ALLOC or value.nullable:
        kernel = f"{at} is neither owning or non-owning ref"
        raise _not_counted(path, value, number, "no object that a program made", kernel)
    record = lookup.of_type(path, value.type) if value.type is not None else None
    if value.type is None or record is None or not record.has(FieldKind.REFCOUNT):
        kernel = f"{at} doesn't point to a type with bpf_refcount field"
        raise _not_counted(path, value, number, "an object without a bpf_refcount", kernel)
    return value.type, bool(value.ref)  # Linux takes what RCU protects for owned, too


def _not_counted(path: Path, value: Reg, number: int, text: str, kernel: str) -> Refusal:
    return Refusal(
        "argument-type", path.pc, f"argument {number} of {SHARE} is {text}", kernel=kernel,
        values=(value,), reg=number,
    )  # fmt: skip


def _wrong_type(path: Path, text: str, kernel: str) -> Refusal:
    return Refusal("argument-type", path.pc, text, kernel=kernel, reg=1)
