"""Sockets: loads through pointers to a socket. Nothing may be stored there."""

from __future__ import annotations

from typing import Final

from beebox.tables.sockets import SOCK, SOCK_COMMON, TCP_SOCK, XDP_SOCK
from beebox.verifier.findings import Refusal
from beebox.verifier.numbers.scalar import of_size
from beebox.verifier.path import Path
from beebox.verifier.reports.names import kernel_name
from beebox.verifier.result import RegKind
from beebox.verifier.states.value import Reg

_STRUCTS: Final = {
    RegKind.SOCK_COMMON: SOCK_COMMON,
    RegKind.SOCKET: SOCK,
    RegKind.TCP_SOCK: TCP_SOCK,
    RegKind.XDP_SOCK: XDP_SOCK,
}
KINDS: Final = frozenset(_STRUCTS)


def load(path: Path, base: Reg, number: int, offset: int, size: int) -> Reg:
    """A load of a field of ``struct bpf_sock``, ``bpf_tcp_sock`` or ``bpf_xdp_sock``."""
    struct = _STRUCTS[base.kind]
    if struct.field_at(offset, size) is None:
        raise Refusal(
            "socket-access", path.pc,
            f"{struct.name} has no field that {size} bytes at offset {offset} may read through "
            f"a {kernel_name(base)} pointer",
            kernel=f"R{number} invalid {kernel_name(base)} access off={offset} size={size}",
            values=(base,), reg=number,
        )  # fmt: skip
    return path.number(of_size(size))


def refuse_store(path: Path, base: Reg, number: int) -> None:
    """Sockets are read-only for programs."""
    raise Refusal(
        "read-only", path.pc, "a program may not write into a socket",
        kernel=f"R{number} cannot write into {kernel_name(base)}", values=(base,), reg=number,
    )  # fmt: skip
