"""What kinds of values are called: in the kernel's log lines and in our sentences."""

from __future__ import annotations

from typing import Final

from beebox.verifier.result import RegKind
from beebox.verifier.state import Reg

KERNEL: Final = {
    RegKind.SCALAR: "scalar",
    RegKind.CTX: "ctx",
    RegKind.PACKET: "pkt",
    RegKind.PACKET_META: "pkt_meta",
    RegKind.PACKET_END: "pkt_end",
    RegKind.MAP: "map_ptr",
    RegKind.MAP_VALUE: "map_value",
    RegKind.STACK: "fp",
    RegKind.FLOW_KEYS: "flow_keys",
    RegKind.SOCK_COMMON: "sock_common",
    RegKind.SOCKET: "sock",
    RegKind.TCP_SOCK: "tcp_sock",
    RegKind.XDP_SOCK: "xdp_sock",
    RegKind.MEM: "ringbuf_mem",
    RegKind.MIXED: "mixed",
}
_PLAIN: Final = {
    RegKind.SCALAR: "a number",
    RegKind.CTX: "the context",
    RegKind.PACKET: "a packet pointer",
    RegKind.PACKET_META: "a packet metadata pointer",
    RegKind.PACKET_END: "the end of the packet",
    RegKind.MAP: "a map",
    RegKind.MAP_VALUE: "a pointer to a map value",
    RegKind.STACK: "a stack pointer",
    RegKind.FLOW_KEYS: "a pointer to the flow keys",
    RegKind.SOCK_COMMON: "a pointer to a socket's common part",
    RegKind.SOCKET: "a pointer to a socket",
    RegKind.TCP_SOCK: "a pointer to a TCP socket",
    RegKind.XDP_SOCK: "a pointer to an XDP socket",
    RegKind.MEM: "a pointer to a ring buffer record",
    RegKind.MIXED: "a pointer or a number",
}


def kernel_name(value: Reg) -> str:
    """As the kernel's log has it: ``map_value_or_null``."""
    return KERNEL[value.kind] + ("_or_null" if value.nullable else "")


def plain_name(value: Reg) -> str:
    """With its article, for a sentence."""
    return _PLAIN[value.kind] + (" that may be NULL" if value.nullable else "")
