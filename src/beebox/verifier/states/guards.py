"""Sections that a path is inside of: RCU, preemption off, interrupts off, locks held.

In all of them nothing may sleep, and none may outlast the program.
"""

from __future__ import annotations

from typing import Final

from beebox.verifier.path import Path
from beebox.verifier.states.state import ITER, Held, HeldKind, Slot
from beebox.verifier.states.value import PtrFlag, Reg

_LOCKS: Final = (HeldKind.LOCK, HeldKind.RES_LOCK, HeldKind.RES_LOCK_IRQ)


def in_rcu(path: Path) -> bool:
    """Whether objects that RCU protects stay: in a section, under a lock, or as nothing sleeps."""
    state = path.state
    if state.guards.rcu or not path.sleepable:
        return True
    return any(held.kind in _LOCKS for held in state.refs)


def active_irq(path: Path) -> Held | None:
    """The newest of what keeps interrupts off."""
    for held in reversed(path.state.refs):
        if held.kind is HeldKind.IRQ:
            return held
    return None


def awake(path: Path) -> str:
    """Where the path may not sleep, in the kernel's words; "" outside of such sections."""
    guards = path.state.guards
    if guards.rcu:
        return "rcu_read_lock region"
    if guards.preempt:
        return "non-preemptible region"
    return "IRQ-disabled region" if active_irq(path) is not None else ""


def entered(path: Path) -> str:
    """The section that the path has not left, in the kernel's words; "" for none."""
    if active_irq(path) is not None:
        return "bpf_local_irq_save-ed"
    if path.state.guards.rcu:
        return "bpf_rcu_read_lock-ed"
    return "bpf_preempt_disable-ed" if path.state.guards.preempt else ""


def forget_protected(path: Path) -> None:
    """Behind the section what RCU protected may be gone."""

    def unprotected(old: Reg) -> Reg:
        flags = old.flags & ~PtrFlag.RCU | PtrFlag.UNTRUSTED
        return path.moved(old, flags=flags, nullable=False)

    path.state.replace_where(lambda reg: bool(reg.flags & PtrFlag.RCU), unprotected)
    for frame in path.state.frames:
        for index, slot in enumerate(frame.stack):
            if slot is not None and slot.kinds[0] == ITER and slot.reg is not None:
                iterator = slot.reg
                if iterator.flags & PtrFlag.RCU:
                    flags = iterator.flags & ~PtrFlag.RCU | PtrFlag.UNTRUSTED
                    frame.stack[index] = Slot(path.moved(iterator, flags=flags), slot.kinds)
