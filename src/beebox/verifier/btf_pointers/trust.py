"""Trust in pointers to the kernel's structs: whether what they point to is there, and stays.

A TRUSTED pointer is valid as long as the program runs; an RCU one while the RCU section lasts that
it was loaded in; a plain one is what older kernels gave and helpers still take; an UNTRUSTED one is
only read, with loads that survive a fault. Which members of a struct are as valid as the struct
itself is said by the kernel's own BTF: structs called ``task_struct__safe_rcu`` and the like.
"""

from __future__ import annotations

from typing import Final

from beebox.btf.types import Btf, Ptr, Struct
from beebox.verifier.btf_pointers.walk import Pointer
from beebox.verifier.path import Path
from beebox.verifier.result import RegKind
from beebox.verifier.states.guards import in_rcu
from beebox.verifier.states.value import PtrFlag, Reg

TRUSTED_FLAGS: Final = PtrFlag.ALLOC | PtrFlag.TRUSTED | PtrFlag.NON_OWN_REF
"""Flags each of which makes a pointer trusted, where it has no others."""

SOCKETS: Final = {
    RegKind.SOCKET: "sock",
    RegKind.SOCK_COMMON: "sock_common",
    RegKind.TCP_SOCK: "tcp_sock",
    RegKind.MAP: "bpf_map",
}
"""Kinds of pointers that stand for a struct of the kernel, and its name."""

_MOST_NAME: Final = 63


def is_trusted(value: Reg) -> bool:
    """Whether the pointer is valid as long as the program runs."""
    if value.ref:
        return True
    if is_unsafe(value):
        return False
    return value.kind in SOCKETS or bool(value.flags & TRUSTED_FLAGS)


def is_unsafe(value: Reg) -> bool:
    """Whether something is known of the pointer that makes it less than trusted."""
    return value.nullable or bool(value.flags & ~TRUSTED_FLAGS)


def is_rcu(value: Reg) -> bool:
    """Whether the pointer is valid as long as the RCU section lasts."""
    return bool(value.flags & PtrFlag.RCU)


def of_member(path: Path, base: Reg, found: Pointer) -> tuple[int, bool]:
    """The flags of the pointer that a load through ``base`` found; whether it may be NULL."""
    flags = found.flags
    if base.flags & PtrFlag.UNTRUSTED:
        return PtrFlag.UNTRUSTED, False
    if not is_trusted(base) and not is_rcu(base):
        return flags & ~(TRUSTED_FLAGS | PtrFlag.RCU), False  # as pointers were before trust
    if _listed(base, found, "__safe_trusted"):
        return flags | PtrFlag.TRUSTED, False
    if _listed(base, found, "__safe_trusted_or_null"):
        return flags | PtrFlag.TRUSTED, True
    if not in_rcu(path) or base.nullable:
        return PtrFlag.UNTRUSTED, False
    if _listed(base, found, "__safe_rcu"):
        return flags | PtrFlag.RCU, False
    listed = _listed(base, found, "__safe_rcu_or_null")
    if listed or flags & PtrFlag.RCU:
        flags |= PtrFlag.RCU
        return flags & ~PtrFlag.UNTRUSTED if listed else flags, True
    if flags & (PtrFlag.PERCPU | PtrFlag.USER):
        return flags, False
    return flags & ~(TRUSTED_FLAGS | PtrFlag.RCU), False


def _listed(base: Reg, found: Pointer, suffix: str) -> bool:
    """Whether the kernel lists the member as safe, by its name and type."""
    type_ = base.type
    if type_ is None or not type_.name or len(type_.name + suffix) > _MOST_NAME:
        return False
    return found.type_id in _safe_members(type_.btf, type_.id, type_.name + suffix).get(
        found.field, ()
    )


def _safe_members(btf: Btf, type_id: int, name: str) -> dict[str, tuple[int, ...]]:
    """By the member's name: the structs that a safe member of this name points to."""
    walked = btf.type(type_id)
    for listed in btf.named(name):
        row = btf.type(listed)
        if not isinstance(row, Struct) or not isinstance(walked, Struct):
            continue
        if row.union is not walked.union:
            continue
        members: dict[str, tuple[int, ...]] = {}
        for member in row.members:
            pointer = btf.type(member.type)
            if isinstance(pointer, Ptr):
                target = btf.resolve(pointer.type)[0]
                members[member.name] = (*members.get(member.name, ()), target)
        return members
    return {}
