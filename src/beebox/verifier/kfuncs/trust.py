"""Which pointers to kernel objects are trusted: valid as long as the program holds them."""

from __future__ import annotations

from typing import Final

from beebox.verifier.btf_pointers import trust
from beebox.verifier.result import RegKind
from beebox.verifier.value import Reg

SOCKETS: Final = {
    RegKind.SOCKET: "sock",
    RegKind.SOCK_COMMON: "sock_common",
    RegKind.TCP_SOCK: "tcp_sock",
    RegKind.MAP: "bpf_map",
}
"""Kinds of pointers that stand for a struct of the kernel."""


def is_unsafe(value: Reg) -> bool:
    """Whether something is known of the pointer that makes it less than trusted."""
    return value.nullable or bool(value.flags & ~trust.TRUSTED_FLAGS)


def is_trusted(value: Reg) -> bool:
    """Whether the object is there as long as the program runs; maps always are."""
    return trust.is_trusted(value) or (value.kind is RegKind.MAP and not is_unsafe(value))
