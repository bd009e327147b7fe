"""Lists and trees: their nodes, who owns them, and the function that puts a tree in order.

A program owns the object that it made until it puts it into a list or tree. From there on its
pointers are borrowed: valid while the lock is held that guards the collection.
"""

from __future__ import annotations

from typing import Final

from beebox.tables.limits import MAX_CALL_FRAMES
from beebox.verifier.fields import locks, lookup
from beebox.verifier.fields.record import Field, FieldKind
from beebox.verifier.findings import Refusal
from beebox.verifier.path import Path
from beebox.verifier.result import RegKind
from beebox.verifier.shape.cfg import orders_tree
from beebox.verifier.states.state import Frame, HeldKind, State
from beebox.verifier.states.value import PtrFlag, Reg, TypeRef

TREE_ADD: Final = "bpf_rbtree_add_impl"
_LIST_ADDS: Final = ("bpf_list_push_front_impl", "bpf_list_push_back_impl")
ADDS: Final = (TREE_ADD, *_LIST_ADDS)
_ON_TREES: Final = (
    TREE_ADD,
    "bpf_rbtree_remove",
    "bpf_rbtree_first",
    "bpf_rbtree_root",
    "bpf_rbtree_left",
    "bpf_rbtree_right",
)
_ON_LISTS: Final = (
    *_LIST_ADDS,
    "bpf_list_pop_front",
    "bpf_list_pop_back",
    "bpf_list_front",
    "bpf_list_back",
)
_ROOT_OF: Final = {
    FieldKind.LIST_HEAD: (FieldKind.LIST_NODE, _ON_LISTS),
    FieldKind.RB_ROOT: (FieldKind.RB_NODE, _ON_TREES),
}


def in_order(path: Path) -> bool:
    """Whether the path is in the function that a tree is ordered by."""
    frame = path.state.frames[-1]
    return frame.callback and orders_tree(path.spec.slots[frame.call_pc])


def refuse_lock(path: Path) -> None:
    """Refuse spin locks in the function that a tree is ordered by."""
    if in_order(path):
        raise Refusal(
            "lock", path.pc, "a lock is taken or given back while a tree is ordered",
            kernel="can't spin_{lock,unlock} in rbtree cb",
        )  # fmt: skip


def check_root(path: Path, name: str, number: int, value: Reg, kind: FieldKind) -> Field:
    """Whether R``number`` points to a list's head or a tree's root, with its lock held."""
    label = kind.value.label
    at = f"arg#{number - 1}"
    is_object = value.kind is RegKind.BTF_ID and value.flags == PtrFlag.ALLOC
    if (value.kind is not RegKind.MAP_VALUE and not is_object) or value.nullable:
        kernel = f"{at} expected pointer to map value or allocated object"
        raise _refused(path, value, number, f"a {label} that is none", kernel)
    if is_object and not value.ref:
        kernel = "allocated object must be referenced"
        raise _refused(path, value, number, "an object that the program does not own", kernel)
    if name not in _ROOT_OF[kind][1]:
        raise Refusal("not-supported", path.pc, f"{name} takes a {label}, not verified yet")
    if not value.scalar.is_const:
        kernel = f"R{number} doesn't have constant offset. {label} has to be at the constant offset"
        raise _refused(path, value, number, f"a {label} at an offset that varies", kernel)
    record = lookup.of(path, value)
    offset = value.off + value.scalar.smin
    field = record.at(offset, kind) if record is not None else None
    if record is None or field is None:
        kernel = f"{label} not found at offset={offset}"
        raise _refused(path, value, number, f"there is no {label} at offset {offset}", kernel)
    if not locks.is_held_with(path, value):
        lock = record.only(FieldKind.SPIN_LOCK)
        kernel = f"bpf_spin_lock at off={lock.offset if lock is not None else -22} must be held "
        text = f"a {label} is used while the lock beside it is not held"
        raise _refused(path, value, number, text, kernel + f"for {label}")
    return field


def check_node(path: Path, name: str, number: int, value: Reg, root: Field) -> TypeRef:
    """Whether R``number`` points to a node of the kind that the collection has."""
    kind = _ROOT_OF[root.kind][0]
    label = kind.value.label
    _check_owner(path, name, number, value)
    if not value.scalar.is_const:
        kernel = f"R{number} doesn't have constant offset. {label} has to be at the constant offset"
        raise _refused(path, value, number, f"a {label} at an offset that varies", kernel)
    record = lookup.of(path, value)
    offset = value.off + value.scalar.smin
    if record is None or record.at(offset, kind) is None or value.type is None:
        kernel = f"{label} not found at offset={offset}"
        raise _refused(path, value, number, f"there is no {label} at offset {offset}", kernel)
    node = _node_type(path, root)
    head = root.kind.value.label
    if value.type is not node:
        raise _refused(
            path, value, number,
            f"the {head} holds nodes of struct {node.name}, not of struct {value.type.name}",
            f"operation on {head} expects arg#1 {label} at offset={root.node_offset} in struct "
            f"{node.name}, but arg is at offset={offset} in struct {value.type.name}",
        )  # fmt: skip
    if offset != root.node_offset:
        raise _refused(
            path, value, number, f"another node of struct {node.name} than the {head} holds",
            f"arg#1 offset={offset}, but expected {label} at offset={root.node_offset} in struct "
            f"{node.name}",
        )  # fmt: skip
    return value.type


def _check_owner(path: Path, name: str, number: int, value: Reg) -> None:
    """What is put into a collection is owned; what is already in one is borrowed."""
    own = value.kind is RegKind.BTF_ID and value.flags == PtrFlag.ALLOC and not value.nullable
    if name in ADDS:
        if not own:
            kernel = f"arg#{number - 1} expected pointer to allocated object"
            raise _refused(path, value, number, "a node that is no object of its own", kernel)
        if not value.ref:
            kernel = "allocated object must be referenced"
            raise _refused(path, value, number, "an object that the program does not own", kernel)
        return
    if value.nullable:  # Linux 6.18 lets it pass where the node is the object's first member
        raise Refusal(
            "null-pointer", path.pc, f"the node in argument {number} of {name} may be NULL",
            kernel=f"Possibly NULL pointer passed to trusted arg{number - 1}", values=(value,),
            reg=number,
        )  # fmt: skip
    borrowed = PtrFlag.ALLOC | PtrFlag.NON_OWN_REF
    if value.flags & borrowed != borrowed and not value.ref:
        kernel = f"{name} can only take non-owning or refcounted bpf_rb_node pointer"
        raise _refused(path, value, number, "a node that the program has no hold of", kernel)
    if in_order(path):
        text = "a tree is changed by the function that it is ordered by"
        raise _refused(path, value, number, text, f"{name} not allowed in rbtree cb")


def node(path: Path, root: Field, *, borrowed: bool) -> Reg:
    """A pointer to a node of the collection."""
    type_ = _node_type(path, root)
    flags = borrowed_flags(path, type_) if borrowed else PtrFlag.ALLOC
    return path.pointer(RegKind.BTF_ID, off=root.node_offset, flags=flags, type_=type_)


def borrowed_flags(path: Path, type_: TypeRef) -> int:
    """What is known of a pointer to an object that a collection owns."""
    flags = PtrFlag.ALLOC | PtrFlag.NON_OWN_REF
    record = lookup.of_type(path, type_)
    if record is not None and record.has(FieldKind.REFCOUNT):
        flags |= PtrFlag.RCU
    return flags


def give_away(path: Path, ref: int) -> None:
    """The collection owns the object now: the program's pointers to it are borrowed."""
    state = path.state
    state.refs = tuple(
        each for each in state.refs if each.id != ref or each.kind is not HeldKind.PTR
    )

    def lent(old: Reg) -> Reg:
        if old.type is None:
            return path.moved(old, ref=0)
        return path.moved(old, ref=0, flags=old.flags | borrowed_flags(path, old.type))

    state.replace_where(lambda reg: reg.ref == ref, lent)


def enter_order(path: Path, start: int, root: Field) -> State:
    """The state in which the function begins that tells which of two nodes is less."""
    frames = path.state.frames
    if len(frames) >= MAX_CALL_FRAMES:
        raise Refusal(
            "call-depth", path.pc, f"more than {MAX_CALL_FRAMES} nested calls",
            kernel=f"the call stack of {len(frames) + 1} frames is too deep",
        )  # fmt: skip
    state = path.state.copy(start)
    state.called_back += 1
    state.frames[-1].rounds += 1
    frames[-1].rounds = 0
    regs: list[Reg | None] = [None] * 11
    regs[1] = node(path, root, borrowed=True)
    regs[2] = node(path, root, borrowed=True)
    regs[10] = path.pointer(RegKind.STACK, frame=len(frames))
    function = path.function_of(start)
    path.callbacks.add(function)
    state.frames.append(Frame(regs, [], path.pc, function, callback=True))
    return state


def _node_type(path: Path, root: Field) -> TypeRef:
    if root.btf is None:
        raise ValueError(f"a {root.kind.value.label} of nothing")
    return path.type_ref(root.btf, root.type_id)


def _refused(path: Path, value: Reg, number: int, text: str, kernel: str) -> Refusal:
    return Refusal("kernel-fields", path.pc, text, kernel=kernel, values=(value,), reg=number)
