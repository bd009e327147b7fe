"""Spin locks: which one is taken, what is allowed while it is held, and that it is given back.

Which object a lock is in is told by the identity of the pointer that the object was reached
through: two look-ups give two objects, whatever their keys.
"""

from __future__ import annotations

from typing import Final

from beebox.isa.instruction import Call, CallKind
from beebox.tables.helpers import HELPER_BY_NAME
from beebox.verifier.fields import lookup
from beebox.verifier.fields.record import FieldKind
from beebox.verifier.findings import Refusal
from beebox.verifier.path import Path
from beebox.verifier.reports.history import callee
from beebox.verifier.reports.names import kernel_name, plain_name
from beebox.verifier.result import RegKind
from beebox.verifier.shape.cfg import kernel_function
from beebox.verifier.states.guards import forget_protected, in_rcu
from beebox.verifier.states.state import Held, HeldKind
from beebox.verifier.states.value import PtrFlag, Reg

SPINNING: Final = (HeldKind.LOCK,)
RESILIENT: Final = (HeldKind.RES_LOCK, HeldKind.RES_LOCK_IRQ)
ANY_LOCK: Final = (*SPINNING, *RESILIENT)

_UNLOCK: Final = HELPER_BY_NAME["spin_unlock"].id
_KFUNCS: Final = frozenset(
    {
        "bpf_list_push_front_impl",
        "bpf_list_push_back_impl",
        "bpf_list_pop_front",
        "bpf_list_pop_back",
        "bpf_list_front",
        "bpf_list_back",
        "bpf_rbtree_add_impl",
        "bpf_rbtree_remove",
        "bpf_rbtree_first",
        "bpf_rbtree_root",
        "bpf_rbtree_left",
        "bpf_rbtree_right",
        "bpf_refcount_acquire_impl",
        "bpf_iter_num_new",
        "bpf_iter_num_next",
        "bpf_iter_num_destroy",
        "bpf_res_spin_lock",
        "bpf_res_spin_unlock",
        "bpf_res_spin_lock_irqsave",
        "bpf_res_spin_unlock_irqrestore",
    }
)
"""What may be called while a lock is held."""


def held(path: Path) -> Held | None:
    """The lock that was taken last and is still held."""
    for each in reversed(path.state.refs):
        if each.kind in ANY_LOCK:
            return each
    return None


def check_call(path: Path, insn: Call) -> None:
    """Refuse calls that are not allowed while a lock is held."""
    lock = held(path) if path.state.refs else None
    if lock is None or insn.kind is CallKind.SUBPROG:
        return
    row = kernel_function(insn)
    if insn.target != _UNLOCK and (row is None or row.name not in _KFUNCS):
        raise Refusal(
            "lock-held", path.pc,
            f"a call of {callee(insn)} while the lock taken at insn {lock.pc} is held",
            kernel="function calls are not allowed while holding a lock",
        )  # fmt: skip


def check_pointer(path: Path, value: Reg, number: int) -> None:
    """Whether R``number`` points to what may have a lock: a map's value, an object of its own."""
    fits = value.kind is RegKind.MAP_VALUE or (
        value.kind is RegKind.BTF_ID and value.flags == PtrFlag.ALLOC
    )
    if value.nullable or not fits:
        raise Refusal(
            "argument-type" if not value.nullable else "null-pointer", path.pc,
            f"argument {number} must point to a lock in a map's value or an object, but is "
            f"{plain_name(value)}",
            kernel=f"R{number} type={kernel_name(value)} expected=map_value, ptr_",
            values=(value,), reg=number,
        )  # fmt: skip


def take(path: Path, value: Reg, number: int, kind: HeldKind) -> None:
    """Take the lock that R``number`` points to."""
    holder = _holder(path, value, number, kind)
    for each in path.state.refs:
        same = (each.id, each.holder) == (value.id, holder)
        if same and kind in RESILIENT and each.kind in RESILIENT:
            kernel = "Acquiring the same lock again, AA deadlock detected"
            raise _refused(path, value, number, "a lock that is held already", kernel)
    path.state.refs = (*path.state.refs, Held(value.id, path.pc, kind, holder))


def give(path: Path, value: Reg, number: int, kind: HeldKind) -> None:
    """Give back the lock that R``number`` points to."""
    holder = _holder(path, value, number, kind)
    last = held(path)
    name = _name(kind)
    if last is None:
        text = "an unlock where no lock is held"
        raise _refused(path, value, number, text, f"{name}_unlock without taking a lock")
    own = [
        index
        for index, each in enumerate(path.state.refs)
        if (each.kind, each.id, each.holder) == (kind, value.id, holder)
    ]
    if not own:
        text = "an unlock of another lock than is held"
        raise _refused(path, value, number, text, f"{name}_unlock of different lock")
    if (last.id, last.holder) != (value.id, holder):
        text = "an unlock of another lock than the one that was taken last"
        raise _refused(path, value, number, text, f"{name}_unlock cannot be out of order")
    refs = path.state.refs
    path.state.refs = (*refs[: own[0]], *refs[own[0] + 1 :])
    void_borrowed(path)
    if not in_rcu(path):  # Linux leaves such pointers as they are
        forget_protected(path)


def void_borrowed(path: Path) -> None:
    """Pointers to what a list or tree owns were valid while its lock was held."""
    path.state.replace_where(lambda reg: bool(reg.flags & PtrFlag.NON_OWN_REF), path.voided)


def is_held_with(path: Path, value: Reg) -> bool:
    """Whether a lock is held that is in the same object as ``value`` points to."""
    holder = holder_of(value)
    return any(
        each.kind in ANY_LOCK and (each.id, each.holder) == (value.id, holder)
        for each in path.state.refs
    )


def holder_of(value: Reg) -> object:
    """What else but its identity tells a pointer's object apart: the map, or whose type it is."""
    if value.kind is RegKind.MAP_VALUE:
        return value.map
    return id(value.type.btf) if value.type is not None else 0


def _holder(path: Path, value: Reg, number: int, kind: HeldKind) -> object:
    """Check that R``number`` points to a lock: what it is in."""
    wanted = FieldKind.SPIN_LOCK if kind is HeldKind.LOCK else FieldKind.RES_SPIN_LOCK
    name = _name(kind)
    if not value.scalar.is_const:
        raise _refused(
            path, value, number, "a lock at an offset that is not constant",
            f"R{number} doesn't have constant offset. {name}_lock has to be at the constant offset",
        )  # fmt: skip
    in_map = value.kind is RegKind.MAP_VALUE
    if in_map and not lookup.has_types(path, value.map):
        kernel = f"map '{value.map}' has to have BTF in order to use {name}_lock"
        text = "a lock in a map whose values are not described by BTF"
        raise _refused(path, value, number, text, kernel)
    record = lookup.of(path, value)
    field = record.only(wanted) if record is not None else None
    if field is None:
        what = f"map '{value.map}'" if in_map else "local 'kptr'"
        text = "a lock where the type has none"
        raise _refused(path, value, number, text, f"{what} has no valid {name}_lock")
    offset = value.off + value.scalar.smin
    if offset != field.offset:
        raise _refused(
            path, value, number, f"offset {offset} is not that of the lock",
            f"off {offset} doesn't point to 'struct {name}_lock' that is at {field.offset}",
        )  # fmt: skip
    return holder_of(value)


def _name(kind: HeldKind) -> str:
    return "bpf_spin" if kind is HeldKind.LOCK else "bpf_res_spin"


def _refused(path: Path, value: Reg, number: int, text: str, kernel: str) -> Refusal:
    return Refusal("lock", path.pc, text, kernel=kernel, values=(value,), reg=number)
