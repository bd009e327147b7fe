"""Contexts as CPython runs them: a packet is a bytearray, a field an attribute."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar, cast

from beebox.compiler.integers import u8, u16, u32, u64
from beebox.compiler.views import ArrayView, coerce, size_in_memory, view

if TYPE_CHECKING:
    from beebox.compiler.structs import bpf_flow_keys

T = TypeVar("T")
_WORDS = (
    "pkt_type",
    "mark",
    "queue_mapping",
    "vlan_present",
    "vlan_tci",
    "priority",
    "ingress_ifindex",
    "ifindex",
    "tc_index",
    "hash",
    "tc_classid",
    "napi_id",
    "family",
    "remote_ip4",
    "local_ip4",
    "remote_port",
    "local_port",
    "wire_len",
    "gso_segs",
    "gso_size",
)


class PacketContext:
    """What both contexts share: functions that take it serve every packet program."""

    data: bytearray
    metadata: bytearray

    def _view(self, type_: type[T], memory: bytearray, offset: int) -> T | None:
        start = int(offset)
        if start + size_in_memory(type_) > len(memory):
            return None
        return cast("T", view(type_, memory, start))

    @property
    def length(self) -> int:
        """Bytes that :meth:`packet` reaches: from the packet's first to its last linear one."""
        return u32(len(self.data))

    def packet(self, type_: type[T], offset: int = 0) -> T | None:
        """The packet's bytes at ``offset`` as a T, or None where the packet ends before."""
        return self._view(type_, self.data, offset)

    def meta(self, type_: type[T]) -> T | None:
        """The metadata before the packet as a T, or None where there is less."""
        return self._view(type_, self.metadata, 0)


class XdpContext(PacketContext):
    """What an XDP program is called with. In CPython: ``XdpContext(packet_bytes)``."""

    def __init__(self, data: bytes, *, ingress_ifindex: int = 1, rx_queue_index: int = 0) -> None:
        self.data = bytearray(data)
        self.metadata = bytearray()
        self.ingress_ifindex: int = u32(ingress_ifindex)
        self.rx_queue_index: int = u32(rx_queue_index)
        self.egress_ifindex: int = u32(0)


class SkbContext(PacketContext):
    """What tc, socket filter, cgroup_skb, lwt and flow dissector programs are called with.

    In CPython: ``SkbContext(packet_bytes, mark=7)``; the bytes start where the hook's packets do,
    at the Ethernet header for tc, at the IP header for cgroup_skb and lwt; ``network_header`` is
    where in them the IP header starts. ``protocol``,
    ``vlan_proto``, the addresses and ``remote_port`` read as plain integers here and in compiled
    programs, although ``struct __sk_buff`` holds them in network byte order.
    """

    if TYPE_CHECKING:
        pkt_type: int
        mark: int
        queue_mapping: int
        protocol: int
        vlan_present: int
        vlan_tci: int
        vlan_proto: int
        priority: int
        ingress_ifindex: int
        ifindex: int
        tc_index: int
        hash: int
        tc_classid: int
        napi_id: int
        family: int
        remote_ip4: int
        local_ip4: int
        remote_port: int
        local_port: int
        tstamp: int
        wire_len: int
        gso_segs: int
        gso_size: int
        tstamp_type: int
        hwtstamp: int
        flow_keys: bpf_flow_keys

    _types = dict.fromkeys(_WORDS, u32) | {
        "protocol": u16,
        "vlan_proto": u16,
        "tstamp": u64,
        "hwtstamp": u64,
        "tstamp_type": u8,
    }

    def __init__(self, data: bytes, *, network_header: int = 0, **fields: int) -> None:
        unknown = fields.keys() - self._types.keys()
        if unknown:
            raise TypeError(f"struct __sk_buff has no field {min(unknown)!r} to set")
        self.data = bytearray(data)
        self.metadata = bytearray()
        self.network_header = network_header
        four, five = _u32_array(4), _u32_array(5)
        self.cb: Any = five()
        self.remote_ip6: Any = four()
        self.local_ip6: Any = four()
        for name in self._types:
            setattr(self, name, fields.get(name, 0))

    def __setattr__(self, name: str, value: Any) -> None:
        type_ = self._types.get(name)
        super().__setattr__(name, value if type_ is None else type_(int(value)))

    def __getattr__(self, name: str) -> Any:
        if name == "flow_keys":  # made on first use: only flow dissectors have them
            from beebox.compiler.structs import bpf_flow_keys  # noqa: PLC0415 -- as above

            self.flow_keys = coerce(bpf_flow_keys, None)
            return self.flow_keys
        raise AttributeError(name)

    @property
    def len(self) -> int:
        """Bytes of the whole packet, paged ones included."""
        return u32(len(self.data))


def _u32_array(count: int) -> type[ArrayView]:
    return type("array", (ArrayView,), {"element": u32, "count": count})
