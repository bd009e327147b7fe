"""Which pointers to kernel objects are trusted: valid as long as the program holds them."""

from __future__ import annotations

from typing import Final

from beebox.verifier.result import RegKind
from beebox.verifier.value import PtrFlag, Reg

SOCKETS: Final = {
    RegKind.SOCKET: "sock",
    RegKind.SOCK_COMMON: "sock_common",
    RegKind.TCP_SOCK: "tcp_sock",
    RegKind.MAP: "bpf_map",
}
"""Kinds of pointers that stand for a struct of the kernel."""

_GOOD: Final = PtrFlag.ALLOC | PtrFlag.TRUSTED | PtrFlag.NON_OWN_REF


def is_unsafe(value: Reg) -> bool:
    """Whether something is known of the pointer that makes it less than trusted."""
    return value.nullable or bool(value.flags & ~_GOOD)


def is_trusted(value: Reg) -> bool:
    """Linux's ``is_trusted_reg``."""
    if value.ref:
        return True
    if value.kind in SOCKETS and not is_unsafe(value):
        return True
    return bool(value.flags & _GOOD) and not is_unsafe(value)


def is_rcu(value: Reg) -> bool:
    """Whether an RCU section keeps the object."""
    return bool(value.flags & PtrFlag.RCU)
