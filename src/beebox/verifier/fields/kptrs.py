"""Pointers to objects that map values and objects keep: loaded, stored and exchanged."""

from __future__ import annotations

from typing import Final

from beebox.btf.types import Btf
from beebox.verifier.fields import lookup
from beebox.verifier.fields.record import KPTRS, NODES, POINTERS, Field, FieldKind
from beebox.verifier.findings import Refusal
from beebox.verifier.kfuncs import structs
from beebox.verifier.path import Path
from beebox.verifier.reports.names import kernel_name, plain_name
from beebox.verifier.result import RegKind
from beebox.verifier.states import guards
from beebox.verifier.states.state import HeldKind
from beebox.verifier.states.value import PtrFlag, Reg, TypeRef

_REFERENCED: Final = (FieldKind.KPTR_REF, FieldKind.KPTR_PERCPU)
_RCU_PROTECTED: Final = frozenset(
    {"task_struct", "cgroup", "bpf_cpumask", "bpf_crypto_ctx", "prog_test_ref_kfunc"}
)
"""Structs of the kernel that live until the RCU section ends in which they were seen."""


def pointer_at(path: Path, base: Reg, offset: int) -> Field | None:
    """The pointer that a map's value keeps at ``base + offset``, if it is one."""
    record = path.fields.get(base.map) if base.kind is RegKind.MAP_VALUE else None
    if record is None or not base.scalar.is_const:
        return None
    return record.at(base.off + offset + base.scalar.smin, *POINTERS)


def load(path: Path, field: Field) -> Reg:
    """What a load of the pointer gives: at best, it is valid as long as RCU protects it."""
    btf = _types(field)
    id_ = path.new_id()
    if field.kind is FieldKind.UPTR:
        size = btf.size_of(field.type_id)
        return path.pointer(RegKind.MEM, id_=id_, range_=size, nullable=True)
    type_ = path.type_ref(btf, field.type_id)
    is_own = btf is path.spec.btf
    protected = field.kind is FieldKind.KPTR_PERCPU or (
        field.kind is FieldKind.KPTR_REF and (is_own or type_.name in _RCU_PROTECTED)
    )
    flags = PtrFlag.UNTRUSTED
    if protected and guards.in_rcu(path):
        flags = PtrFlag.RCU
        if field.kind is FieldKind.KPTR_PERCPU:
            flags |= PtrFlag.PERCPU
        elif is_own:
            flags |= PtrFlag.ALLOC
        record = lookup.of_type(path, type_) if is_own else None
        if record is not None and record.has(*NODES):
            flags |= PtrFlag.NON_OWN_REF
    return path.pointer(RegKind.BTF_ID, id_=id_, nullable=True, flags=flags, type_=type_)


def store(path: Path, field: Field, value: Reg, number: int | None) -> None:
    """Check a store of ``value``, which is R``number`` or a constant, to the pointer."""
    label = field.kind.value.label
    if field.kind in _REFERENCED:
        raise Refusal(
            "kernel-fields", path.pc, f"a {label} that holds a reference is not stored to: it is "
            "exchanged", kernel="store to referenced kptr disallowed", values=(value,),
            hint="use bpf_kptr_xchg",
        )  # fmt: skip
    if field.kind is FieldKind.UPTR:
        raise Refusal(
            "kernel-fields", path.pc, "programs do not set a uptr",
            kernel="store to uptr disallowed", values=(value,),
        )  # fmt: skip
    if _is_null(value):
        return
    if number is None:
        raise Refusal(
            "kernel-fields", path.pc, "a constant other than 0 is stored to a kptr",
            kernel=f"BPF_ST imm must be 0 when storing to kptr at off={field.offset}",
        )  # fmt: skip
    _require_match(path, field, value, number)


def refuse_at(path: Path, base: Reg, offset: int) -> None:
    """Refuse what is no plain load or store, where a pointer is accessed."""
    if not path.fields or pointer_at(path, base, offset) is None:
        return
    raise Refusal(
        "kernel-fields", path.pc, "a kptr is accessed by plain loads and stores of 8 bytes only",
        kernel="kptr in map can only be accessed using BPF_MEM instruction mode", values=(base,),
    )  # fmt: skip


def destination(path: Path, value: Reg, number: int) -> Field:
    """The pointer, to be exchanged, that R``number`` points to."""
    fits = value.kind is RegKind.MAP_VALUE or (
        value.kind is RegKind.BTF_ID and value.flags == PtrFlag.ALLOC
    )
    if value.nullable or not fits:
        raise Refusal(
            "argument-type" if not value.nullable else "null-pointer", path.pc,
            f"bpf_kptr_xchg changes a pointer in a map value or object, not {plain_name(value)}",
            kernel=f"R{number} type={kernel_name(value)} expected=map_value, ptr_",
            values=(value,), reg=number,
        )  # fmt: skip
    if value.kind is RegKind.MAP_VALUE and not lookup.has_types(path, value.map):
        kernel = f"map '{value.map}' has to have BTF in order to use bpf_kptr_xchg"
        raise _refused(path, value, number, "the map's values are not described by BTF", kernel)
    if not value.scalar.is_const:
        kernel = f"R{number} doesn't have constant offset. kptr has to be at the constant offset"
        raise _refused(path, value, number, "a kptr at an offset that is not constant", kernel)
    record = lookup.of(path, value)
    if record is None or not record.has(*KPTRS):
        text = "what is pointed to keeps no pointers"
        raise _refused(path, value, number, text, f"R{number} has no valid kptr")
    offset = value.off + value.scalar.smin
    field = record.at(offset, *KPTRS)
    if field is None:
        kernel = f"off={offset} doesn't point to kptr"
        raise _refused(path, value, number, f"there is no kptr at offset {offset}", kernel)
    if field.kind not in _REFERENCED:
        text = f"the kptr at offset {offset} holds no reference"
        raise _refused(path, value, number, text, f"off={offset} kptr isn't referenced kptr")
    return field


def check_source(path: Path, field: Field, value: Reg, number: int) -> None:
    """Whether R``number`` may be put into the pointer: NULL, or a reference of its type."""
    if _is_null(value):
        path.precise(value)
        return
    if value.kind is RegKind.BTF_ID and value.nullable:
        raise Refusal(
            "null-pointer", path.pc, "a reference that may be NULL is put into a kptr",
            kernel=f"Possibly NULL pointer passed to helper arg{number}", values=(value,),
            reg=number,
        )  # fmt: skip
    _require_match(path, field, value, number)
    if not value.ref:
        raise Refusal(
            "reference-missing", path.pc, "what is put into a kptr holds no reference",
            kernel=f"R{number} must be referenced when passed to release function",
            values=(value,), reg=number,
        )  # fmt: skip


def put(path: Path, ref: int) -> None:
    """The reference is the map's now; objects per CPU stay visible in the RCU section."""
    state = path.state
    state.refs = tuple(
        each for each in state.refs if each.id != ref or each.kind is not HeldKind.PTR
    )
    stays = guards.in_rcu(path)
    percpu = PtrFlag.ALLOC | PtrFlag.PERCPU

    def left(old: Reg) -> Reg | None:
        if stays and old.flags & percpu == percpu:
            return path.moved(old, ref=0, flags=old.flags & ~PtrFlag.ALLOC | PtrFlag.RCU)
        return path.voided(old)

    state.replace_where(lambda reg: reg.ref == ref, left)


def taken(path: Path, field: Field) -> tuple[TypeRef, int]:
    """What the exchange gives back: the type behind the pointer, and what is known of it."""
    btf = _types(field)
    flags = PtrFlag.NONE
    if btf is path.spec.btf:
        flags = PtrFlag.ALLOC
        if field.kind is FieldKind.KPTR_PERCPU:
            flags |= PtrFlag.PERCPU
    return path.type_ref(btf, field.type_id), flags


def _require_match(path: Path, field: Field, value: Reg, number: int) -> None:
    """Whether the value is a pointer to exactly the struct that the field points to."""
    type_ = value.type
    if type_ is not None and type_.btf is not path.spec.btf:
        allowed = PtrFlag.TRUSTED | PtrFlag.RCU
        if field.kind is FieldKind.KPTR_UNREF:
            allowed |= PtrFlag.UNTRUSTED
    else:
        allowed = PtrFlag.ALLOC
        if field.kind is FieldKind.KPTR_PERCPU:
            allowed |= PtrFlag.PERCPU
    wanted = path.type_ref(_types(field), field.type_id)
    fits = value.kind is RegKind.BTF_ID and type_ is not None and not value.flags & ~allowed
    if fits and value.scalar.is_const and not value.scalar.value and type_ is not None:
        strict = field.kind is not FieldKind.KPTR_UNREF
        pair = (wanted.btf, wanted.id)
        same = value.off == 0 and structs.same(type_.btf, type_.id, *pair)
        if same or (not strict and structs.contains(type_.btf, type_.id, value.off, pair)):
            return
    of = type_.name if fits and type_ is not None else ""
    expected = f"ptr_{wanted.name}"
    if field.kind is FieldKind.KPTR_UNREF:
        expected += f" or untrusted_ptr_{wanted.name}"
    raise Refusal(
        "kernel-fields", path.pc,
        f"a kptr to struct {wanted.name} is given {plain_name(value)}"
        + (f" (struct {of})" if of else ""),
        kernel=f"invalid kptr access, R{number} type={kernel_name(value)}{of} expected={expected}",
        values=(value,), reg=number,
    )  # fmt: skip


def _types(field: Field) -> Btf:
    """Whose type the pointer points to."""
    if field.btf is None:
        raise ValueError(f"a {field.kind.value.label} without a type")
    return field.btf


def _is_null(value: Reg) -> bool:
    scalar = value.scalar
    return value.kind is RegKind.SCALAR and scalar.is_const and scalar.value == 0


def _refused(path: Path, value: Reg, number: int, text: str, kernel: str) -> Refusal:
    return Refusal("kernel-fields", path.pc, text, kernel=kernel, values=(value,), reg=number)
