"""Arguments that are fields of the kernel's in map values or in objects that the program made."""

from __future__ import annotations

from typing import Final

from beebox.tables.kfuncs import KfuncFlags
from beebox.verifier.fields import deferred, graphs, locks, objects
from beebox.verifier.fields.record import Field, FieldKind
from beebox.verifier.findings import Refusal
from beebox.verifier.kfuncs.argument_classes import ArgClass
from beebox.verifier.kfuncs.invocation import Argument, KfuncCall
from beebox.verifier.numbers.scalar import const, signed_range
from beebox.verifier.reports.names import plain_name
from beebox.verifier.result import RegKind
from beebox.verifier.states.state import HeldKind
from beebox.verifier.states.value import PtrFlag, Reg

_ROOTS: Final = {
    ArgClass.LIST_HEAD: FieldKind.LIST_HEAD,
    ArgClass.RB_ROOT: FieldKind.RB_ROOT,
}
_ITEMS: Final = {
    ArgClass.WORKQUEUE: FieldKind.WORKQUEUE,
    ArgClass.TASK_WORK: FieldKind.TASK_WORK,
}
_LOCKS: Final = {
    "bpf_res_spin_lock": (HeldKind.RES_LOCK, True),
    "bpf_res_spin_unlock": (HeldKind.RES_LOCK, False),
    "bpf_res_spin_lock_irqsave": (HeldKind.RES_LOCK_IRQ, True),
    "bpf_res_spin_unlock_irqrestore": (HeldKind.RES_LOCK_IRQ, False),
}
_MAX_ERRNO: Final = 4095


def check_object(arg: Argument) -> None:
    """``__alloc``: an object that the program made, to be given back."""
    objects.check_dropped(arg.call.path, arg.call.name, arg.number, arg.value)


def check_refcounted(arg: Argument) -> None:
    """``__refcounted_kptr``: an object with a bpf_refcount, owned or not."""
    call = arg.call
    call.object, call.owning = objects.check_counted(call.path, arg.number, arg.value)


def check_root(arg: Argument, class_: ArgClass) -> None:
    """A list head or a tree's root, with its lock held."""
    call = arg.call
    call.field = graphs.check_root(
        call.path, call.name, arg.number, arg.value, _ROOTS[class_]
    )  # fmt: skip


def check_node(arg: Argument, class_: ArgClass) -> None:
    """A node of a list or tree."""
    call = arg.call
    root = call.field
    if not isinstance(root, Field):
        problem = f"{call.name} takes a {class_.name.lower()} of no collection, not verified yet"
        raise Refusal("not-supported", call.path.pc, problem)
    call.object = graphs.check_node(call.path, call.name, arg.number, arg.value, root)


def check_field(arg: Argument, class_: ArgClass) -> None:
    """A bpf_wq or bpf_task_work of a map value."""
    call, value = arg.call, arg.value
    if value.kind is not RegKind.MAP_VALUE or value.nullable:
        raise Refusal(
            "argument-type", call.path.pc,
            f"argument {arg.number} of {call.name} must point into a map's value, but is "
            f"{plain_name(value)}", kernel=f"arg#{arg.position} doesn't point to a map value",
            values=(value,), reg=arg.number,
        )  # fmt: skip
    deferred.check_pointer(call.path, value, arg.number, _ITEMS[class_])
    call.map, call.field = value, _ITEMS[class_]


def check_map(arg: Argument) -> None:
    """A map behind a pointer into a value: must be the map of the value."""
    call = arg.call
    if call.map is not None and isinstance(call.field, FieldKind):
        deferred.check_map(call.path, call.map, arg.value, arg.number, call.field)


def check_lock(arg: Argument) -> None:
    """A bpf_res_spin_lock. That taking it may fail is another path."""
    call, path, value = arg.call, arg.call.path, arg.value
    is_object = value.kind is RegKind.BTF_ID and value.flags == PtrFlag.ALLOC
    if (value.kind is not RegKind.MAP_VALUE and not is_object) or value.nullable:
        raise Refusal(
            "argument-type", path.pc,
            f"argument {arg.number} of {call.name} must point to a lock in a map's value or an "
            f"object, but is {plain_name(value)}",
            kernel=f"arg#{arg.position} doesn't point to map value or allocated object",
            values=(value,), reg=arg.number,
        )  # fmt: skip
    kind, takes = _LOCKS[call.name]
    if not takes:
        locks.give(path, value, arg.number, kind)
        return
    failed = path.state.copy(path.pc + 1)
    regs = failed.frames[-1].regs
    regs[0] = path.number(signed_range(-_MAX_ERRNO, -1))
    regs[1:6] = [None] * 5
    call.push(failed)
    locks.take(path, value, arg.number, kind)


def check_callback(arg: Argument) -> None:
    """A function of the program."""
    if arg.value.kind is not RegKind.FUNC:
        raise Refusal(
            "argument-type", arg.call.path.pc,
            f"argument {arg.number} of {arg.call.name} must be a function, but is "
            f"{plain_name(arg.value)}",
            kernel=f"arg{arg.position} expected pointer to func", values=(arg.value,),
            reg=arg.number,
        )  # fmt: skip
    arg.call.function = arg.value


def finish(call: KfuncCall) -> None:
    """What such functions do between the arguments' checks and the result: callbacks, ownership."""
    path = call.path
    if call.name == graphs.TREE_ADD and isinstance(call.field, Field) and call.function:
        call.push(graphs.enter_order(path, call.function.range, call.field))
    later = deferred.by_kfunc(call.name)
    if later is not None:
        call.push(deferred.begin(path, later))
    if call.name in graphs.ADDS:
        graphs.give_away(path, path.read(2).ref)


def number(call: KfuncCall) -> Reg | None:
    """A result that is a number of which more is known than its type says."""
    if call.name in _LOCKS and _LOCKS[call.name][1]:
        return call.path.number(const(0))
    return None


def result(call: KfuncCall) -> Reg | None:
    """A new object, or a node of a list or tree, before RET_NULL; None: another kind of result."""
    path, name = call.path, call.name
    if name in (objects.NEW, objects.NEW_PERCPU):
        return objects.make(path, name, call.constant or 0)
    if name == objects.SHARE and call.object is not None:
        return objects.share(path, call.object)
    if call.proto.result.struct in ("bpf_list_node", "bpf_rb_node") and isinstance(
        call.field, Field
    ):
        return graphs.node(path, call.field, borrowed=not call.proto.has(KfuncFlags.ACQUIRE))
    return None
