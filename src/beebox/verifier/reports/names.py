"""What kinds of values are called: in the kernel's log lines and in our sentences."""

from __future__ import annotations

from typing import Final

from beebox.tables.limits import NET_IP_ALIGN
from beebox.verifier.numbers.scalar import Scalar
from beebox.verifier.result import RegKind
from beebox.verifier.states.value import PtrFlag, Reg

_MOST_DECIMAL: Final = 1 << 15
KERNEL: Final = {
    RegKind.SCALAR: "scalar",
    RegKind.CTX: "ctx",
    RegKind.PACKET: "pkt",
    RegKind.PACKET_META: "pkt_meta",
    RegKind.PACKET_END: "pkt_end",
    RegKind.MAP: "map_ptr",
    RegKind.MAP_KEY: "map_key",
    RegKind.MAP_VALUE: "map_value",
    RegKind.STACK: "fp",
    RegKind.FLOW_KEYS: "flow_keys",
    RegKind.SOCK_COMMON: "sock_common",
    RegKind.SOCKET: "sock",
    RegKind.TCP_SOCK: "tcp_sock",
    RegKind.XDP_SOCK: "xdp_sock",
    RegKind.MEM: "mem",
    RegKind.BTF_ID: "ptr_",
    RegKind.DYNPTR: "dynptr_ptr",
    RegKind.BUF: "buf",
    RegKind.TP_BUFFER: "tp_buffer",
    RegKind.ARENA: "arena",
    RegKind.FUNC: "func",
    RegKind.MIXED: "mixed",
}
_PLAIN: Final = {
    RegKind.SCALAR: "a number",
    RegKind.CTX: "the context",
    RegKind.PACKET: "a packet pointer",
    RegKind.PACKET_META: "a packet metadata pointer",
    RegKind.PACKET_END: "the end of the packet",
    RegKind.MAP: "a map",
    RegKind.MAP_KEY: "a pointer to a key of a map",
    RegKind.MAP_VALUE: "a pointer to a map value",
    RegKind.STACK: "a stack pointer",
    RegKind.FLOW_KEYS: "a pointer to the flow keys",
    RegKind.SOCK_COMMON: "a pointer to a socket's common part",
    RegKind.SOCKET: "a pointer to a socket",
    RegKind.TCP_SOCK: "a pointer to a TCP socket",
    RegKind.XDP_SOCK: "a pointer to an XDP socket",
    RegKind.MEM: "a pointer to memory",
    RegKind.BTF_ID: "a pointer to a struct of the kernel",
    RegKind.DYNPTR: "a dynptr",
    RegKind.BUF: "a pointer to a buffer",
    RegKind.TP_BUFFER: "a pointer to a tracepoint's buffer",
    RegKind.ARENA: "an arena address",
    RegKind.FUNC: "the address of a function",
    RegKind.MIXED: "a pointer or a number",
}


_ALIGNED: Final = {
    RegKind.STACK: "stack ",
    RegKind.MAP_KEY: "key ",
    RegKind.MAP_VALUE: "value ",
    RegKind.CTX: "context ",
    RegKind.FLOW_KEYS: "flow keys ",
}
_PREFIXES: Final = (
    (PtrFlag.RDONLY, "rdonly_"),
    (PtrFlag.RINGBUF, "ringbuf_"),
    (PtrFlag.USER, "user_"),
    (PtrFlag.PERCPU, "percpu_"),
    (PtrFlag.RCU, "rcu_"),
    (PtrFlag.UNTRUSTED, "untrusted_"),
    (PtrFlag.TRUSTED, "trusted_"),
)
_LOOKED_UP: Final = (RegKind.MAP, RegKind.XDP_SOCK)


def kernel_name(value: Reg) -> str:
    """As the kernel's log has it: ``map_value_or_null``."""
    of_a_map = value.kind in _LOOKED_UP or (value.kind is RegKind.SOCKET and value.map)
    if value.nullable and of_a_map:
        return "map_value_or_null"  # until it is checked, whatever the map holds
    null = "_or_null" if value.nullable else ""
    if value.kind is RegKind.BTF_ID:
        null = null and "or_null_"
    prefix = "".join(text for flag, text in _PREFIXES if value.flags & flag)
    return prefix + KERNEL[value.kind] + null


def bits(scalar: Scalar) -> str:
    """Known and unknown bits as the kernel's log has them: ``(0x0; 0xff)``."""
    if scalar.is_const:
        return f"{scalar.smin}" if abs(scalar.smin) < _MOST_DECIMAL else f"{scalar.value:#x}"
    return f"({scalar.value:#x}; {scalar.mask:#x})"


def misaligned(base: Reg, offset: int, size: int) -> str:
    """The kernel's line on an access that may be unaligned."""
    where = f"{bits(base.scalar)}+{base.off}+{offset}"
    if base.kind in (RegKind.PACKET, RegKind.PACKET_META):
        return f"misaligned packet access off {NET_IP_ALIGN}+{where} size {size}"
    return f"misaligned {_ALIGNED.get(base.kind, '')}access off {where} size {size}"


def plain_name(value: Reg) -> str:
    """With its article, for a sentence."""
    return _PLAIN[value.kind] + (" that may be NULL" if value.nullable else "")
