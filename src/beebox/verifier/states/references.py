"""Pointers that may be NULL, and references: acquired by a call, to be released on every path.

A pointer that may be NULL has an ``id`` that its copies share. A reference is named by the id of
the pointer that acquired it; ``ref`` of a pointer names the reference that keeps it valid.
"""

from __future__ import annotations

from beebox.verifier.fields import locks, lookup
from beebox.verifier.findings import Refusal
from beebox.verifier.numbers.scalar import const
from beebox.verifier.path import Path
from beebox.verifier.result import RegKind
from beebox.verifier.states import guards
from beebox.verifier.states.state import Held, HeldKind, State
from beebox.verifier.states.value import PtrFlag, Reg


def resolve_null(path: Path, state: State, pointer: Reg, *, is_null: bool) -> None:
    """On this side of a comparison with 0, every copy of ``pointer`` is NULL, or is not."""
    id_ = pointer.id
    if is_null and pointer.ref and pointer.ref == id_:
        state.refs = _without(state.refs, id_)  # nothing was acquired

    def resolved(old: Reg) -> Reg:
        return path.number(const(0), old) if is_null else not_null(path, old)

    state.replace_where(lambda reg: reg.nullable and reg.id == id_, resolved)


def not_null(path: Path, old: Reg) -> Reg:
    """The pointer, now known not to be NULL."""
    if not path.fields and not old.flags & PtrFlag.ALLOC:
        return path.moved(old, nullable=False, id_=0)
    id_ = old.id if lookup.may_have_lock(path, old) else 0
    range_ = lookup.identity(path, old) if old.kind is RegKind.MAP else old.range
    return path.moved(old, nullable=False, id_=id_, range_=range_)


def acquire(path: Path, id_: int) -> None:
    """The path now holds the reference ``id_``."""
    path.state.refs = (*path.state.refs, Held(id_, path.pc))


def release(path: Path, id_: int) -> None:
    """The reference is gone: what it kept valid is now just a number."""
    state = path.state
    state.refs = _without(state.refs, id_)
    state.replace_where(lambda reg: reg.ref == id_, path.voided)


def require_none(path: Path, what: str, *, kernel: str, everywhere: bool = False) -> None:
    """Refuse ``what`` (the end of the program, mostly) while anything is held or a section entered.

    ``kernel`` is what the kernel's log calls it. Below the program itself only locks and the like
    count: whoever called the function may still release what is held, if not ``everywhere``.
    """
    inside = len(path.state.frames) > 1 and not everywhere
    lock = locks.held(path) if path.state.refs else None
    if lock is not None:
        raise Refusal(
            "lock-held", path.pc, f"{what} while the lock taken at insn {lock.pc} is held",
            kernel=f"{kernel} cannot be used inside bpf_spin_lock-ed region",
        )  # fmt: skip
    for held in path.state.refs:
        if held.kind is HeldKind.PTR and not inside:
            raise Refusal(
                "reference-leak", path.pc,
                f"{what} while the reference acquired at insn {held.pc} is not released",
                kernel=f"{kernel} would lead to reference leak",
                values=holders(path, held.id),
            )  # fmt: skip
    section = guards.entered(path)
    if section:
        raise Refusal(
            "section", path.pc, f"{what} inside a section that was not left: {section}",
            kernel=f"{kernel} cannot be used inside {section} region",
        )  # fmt: skip


def _without(refs: tuple[Held, ...], id_: int) -> tuple[Held, ...]:
    return tuple(ref for ref in refs if ref.id != id_ or ref.kind is not HeldKind.PTR)


def holders(path: Path, id_: int) -> tuple[Reg, ...]:
    """The pointers that hold or share the reference."""
    return tuple(
        reg
        for frame in path.state.frames
        for reg in frame.regs
        if reg is not None and reg.ref == id_
    )
