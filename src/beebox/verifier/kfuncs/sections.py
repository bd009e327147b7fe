"""RCU, preemption and interrupts: sections that programs enter and leave, what they forbid."""

from __future__ import annotations

from beebox.tables.kfuncs import KfuncFlags
from beebox.verifier.accesses import stack
from beebox.verifier.fields import graphs
from beebox.verifier.findings import Refusal
from beebox.verifier.kfuncs.invocation import Argument, KfuncCall
from beebox.verifier.reports.names import plain_name
from beebox.verifier.result import RegKind
from beebox.verifier.states.guards import active_irq, forget_protected, in_rcu
from beebox.verifier.states.state import IRQ, Held, HeldKind, Slot

_RCU = ("bpf_rcu_read_lock", "bpf_rcu_read_unlock")
_SAVES = ("bpf_local_irq_save", "bpf_res_spin_lock_irqsave")
_BY_LOCK = ("bpf_res_spin_lock_irqsave", "bpf_res_spin_unlock_irqrestore")


def cross(call: KfuncCall) -> None:
    """Enter or leave a section, or refuse a function that sleeps inside of one."""
    path, name = call.path, call.name
    sleeps = call.proto.has(KfuncFlags.SLEEPABLE)
    _rcu(call, sleeps=sleeps)
    guards = path.state.guards
    if name == "bpf_preempt_disable":
        path.state.guards = guards._replace(preempt=guards.preempt + 1)
    elif name == "bpf_preempt_enable":
        if not guards.preempt:
            raise Refusal(
                "section", path.pc, "preemption is enabled where it was not disabled",
                kernel=f"unmatched attempt to enable preemption (kernel function {name})",
            )  # fmt: skip
        path.state.guards = guards._replace(preempt=guards.preempt - 1)
    elif sleeps and guards.preempt:
        _sleeps(call, "non-preemptible region")
    if sleeps and active_irq(path) is not None:
        _sleeps(call, "IRQ-disabled region")
    if call.proto.has(KfuncFlags.RCU_PROTECTED) and not in_rcu(path):
        raise Refusal(
            "section", path.pc, f"{name} may only be called in an RCU section",
            kernel=f"kernel func {name} requires RCU critical section protection",
            hint="call bpf_rcu_read_lock before, bpf_rcu_read_unlock when done",
        )  # fmt: skip


def _rcu(call: KfuncCall, *, sleeps: bool) -> None:
    path, name = call.path, call.name
    guards = path.state.guards
    if name in _RCU and graphs.in_order(path):
        raise Refusal(
            "section", path.pc, "an RCU section begins or ends while a tree is ordered",
            kernel="Calling bpf_rcu_read_{lock,unlock} in unnecessary rbtree callback",
        )  # fmt: skip
    if name == "bpf_rcu_read_lock":
        if guards.rcu:
            raise Refusal(
                "section", path.pc, "an RCU section is entered inside of one",
                kernel=f"nested rcu read lock (kernel function {name})",
            )  # fmt: skip
        path.state.guards = guards._replace(rcu=guards.rcu + 1)
    elif name == "bpf_rcu_read_unlock":
        if not guards.rcu:
            raise Refusal(
                "section", path.pc, "an RCU section is left that was not entered",
                kernel=f"unmatched rcu read unlock (kernel function {name})",
            )  # fmt: skip
        path.state.guards = guards._replace(rcu=guards.rcu - 1)
        if guards.rcu == 1:
            forget_protected(path)
    elif sleeps and guards.rcu:
        _sleeps(call, "rcu_read_lock region")


def _sleeps(call: KfuncCall, where: str) -> None:
    raise Refusal(
        "section", call.path.pc, f"{call.name} may sleep, which is not possible here: {where}",
        kernel=f"kernel func {call.name} is sleepable within {where}",
    )  # fmt: skip


def check_flags(arg: Argument) -> None:
    """The stack slot where the state of interrupts is saved."""
    path, value, name = arg.call.path, arg.value, arg.call.name
    if value.kind is not RegKind.STACK:
        raise Refusal(
            "argument-type", path.pc,
            f"argument {arg.number} of {name} must point to a slot of the stack, but is "
            f"{plain_name(value)}",
            kernel=f"arg#{arg.position} doesn't point to an irq flag on stack",
            values=(value,), reg=arg.number,
        )  # fmt: skip
    class_ = "lock" if name in _BY_LOCK else "native"
    if name in _SAVES:
        _save(arg, class_)
    else:
        _restore(arg, class_)


def _save(arg: Argument, class_: str) -> None:
    path, value = arg.call.path, arg.value
    place = stack.object_place(path, value, 1)
    if place is None or IRQ in place.kinds[0]:
        raise Refusal(
            "section", path.pc, "the slot for the state of interrupts is in use, or not aligned",
            kernel=f"expected uninitialized irq flag as arg#{arg.position}",
            values=(value,), reg=arg.number,
        )  # fmt: skip
    stack.store(path, value, arg.number, 0, 8, path.unknown())
    id_ = path.new_id()
    path.state.refs = (*path.state.refs, Held(id_, path.pc, HeldKind.IRQ))
    made = path.pointer(RegKind.STACK, ref=id_, map_=class_)
    stack.put_object(path, place, (Slot(made, IRQ * 8),))


def _restore(arg: Argument, class_: str) -> None:
    path, value = arg.call.path, arg.value
    place = stack.object_place(path, value, 1)
    saved = place.regs[0] if place is not None else None
    if place is None or place.kinds[0] != IRQ * 8 or saved is None:
        raise Refusal(
            "section", path.pc, "no state of interrupts was saved there",
            kernel=f"expected an initialized irq flag as arg#{arg.position}",
            values=(value,), reg=arg.number,
        )  # fmt: skip
    stack.read_object(path, place)
    if saved.map != class_:
        raise Refusal(
            "section", path.pc,
            f"the state of interrupts was saved by a {saved.map} function, not by a {class_} one",
            kernel=f"irq flag acquired by {saved.map} kfuncs cannot be restored with {class_} "
            "kfuncs", values=(value,), reg=arg.number,
        )  # fmt: skip
    newest = active_irq(path)
    if newest is None or newest.id != saved.ref:
        at = newest.pc if newest is not None else 0
        raise Refusal(
            "section", path.pc, "the state of interrupts is restored out of order",
            kernel="cannot restore irq state out of order, expected id=",
            values=(value,), reg=arg.number, hint=f"restore what insn {at} saved first",
        )  # fmt: skip
    path.state.refs = tuple(held for held in path.state.refs if held.id != saved.ref)
    stack.put_object(path, place, (None,))
