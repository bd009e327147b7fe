"""Context structs: what R1 points to when a program starts, field by field and per program type.

Offsets and sizes are the uapi ones; ``vm.memory`` owns where a field lives at run time. Program
types that share a struct differ in what they may load and store, so each has a ``Context`` of its
own over the same offsets. Here: packets; ``contexts_sockets`` and ``contexts_tracing`` hold the
others.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import Final


class FieldKind(Enum):
    """What a loaded field *is*, beyond its width."""

    SCALAR = auto()
    PACKET = auto()
    PACKET_END = auto()
    PACKET_META = auto()
    FLOW_KEYS = auto()  # a pointer to struct bpf_flow_keys
    SOCK_COMMON_OR_NULL = auto()
    SOCKET = auto()
    SOCKET_OR_NULL = auto()
    TRACEPOINT_BUFFER = auto()  # of a writable raw tracepoint
    TRUSTED_BTF_ID = auto()  # a pointer to the kernel struct in ``type_name``


@dataclass(frozen=True, slots=True)
class ContextField:
    """One field. An access is legal inside the field if its size is listed and divides its offset."""

    name: str
    offset: int
    size: int
    kind: FieldKind = FieldKind.SCALAR
    reads: tuple[int, ...] = (4,)  # sizes of legal loads
    writes: tuple[int, ...] = ()  # sizes of legal stores; fail closed: none
    since: str = "4.8"
    attach_types: tuple[str, ...] = ()  # non-empty: only programs of these attach types see it
    store_types: tuple[str, ...] = ()  # non-empty: only programs of these attach types store it
    from_start: bool = False  # narrow loads start where the field does
    type_name: str = ""


@dataclass(frozen=True, slots=True)
class Context:
    """A context struct as programs of one type see it: fields that they may not touch are left out."""

    name: str
    size: int
    fields: tuple[ContextField, ...]

    def field_at(self, offset: int, size: int, *, write: bool = False) -> ContextField | None:
        """The field that an access of ``size`` bytes at ``offset`` may touch, if any."""
        for field in self.fields:
            if field.offset <= offset and offset + size <= field.offset + field.size:
                sizes = field.writes if write else field.reads
                if size not in sizes or offset % size:
                    continue
                if offset == field.offset or not field.from_start:
                    return field
        return None

    def field(self, name: str) -> ContextField | None:
        """The field called ``name``, if programs of this type may touch it."""
        return next((field for field in self.fields if field.name == name), None)


XDP_MD: Final = Context(
    "xdp_md",
    size=24,
    fields=(
        ContextField("data", 0, 4, FieldKind.PACKET),
        ContextField("data_end", 4, 4, FieldKind.PACKET_END),
        ContextField("data_meta", 8, 4, FieldKind.PACKET_META, since="4.15"),
        ContextField("ingress_ifindex", 12, 4, since="4.16"),
        ContextField("rx_queue_index", 16, 4, since="4.16"),
        ContextField("egress_ifindex", 20, 4, since="5.8", attach_types=("xdp_devmap",)),
    ),
)

_NARROW: Final = (1, 2, 4)
_SK_BUFF_FIELDS: Final = (
    ContextField("len", 0, 4, reads=_NARROW, since="4.1"),
    ContextField("pkt_type", 4, 4, reads=_NARROW, since="4.1"),
    ContextField("mark", 8, 4, reads=_NARROW, since="4.1"),
    ContextField("queue_mapping", 12, 4, reads=_NARROW, since="4.1"),
    ContextField("protocol", 16, 4, reads=_NARROW, since="4.1"),
    ContextField("vlan_present", 20, 4, reads=_NARROW, since="4.1"),
    ContextField("vlan_tci", 24, 4, reads=_NARROW, since="4.1"),
    ContextField("vlan_proto", 28, 4, reads=_NARROW, since="4.1"),
    ContextField("priority", 32, 4, reads=_NARROW, since="4.1"),
    ContextField("ingress_ifindex", 36, 4, reads=_NARROW, since="4.2"),
    ContextField("ifindex", 40, 4, reads=_NARROW, since="4.2"),
    ContextField("tc_index", 44, 4, reads=_NARROW, since="4.2"),
    ContextField("cb", 48, 20, reads=(1, 2, 4, 8), writes=(1, 2, 4, 8), since="4.2"),
    ContextField("hash", 68, 4, reads=_NARROW, since="4.3"),
    ContextField("tc_classid", 72, 4, reads=_NARROW, since="4.4"),
    ContextField("data", 76, 4, FieldKind.PACKET, since="4.7"),
    ContextField("data_end", 80, 4, FieldKind.PACKET_END, since="4.7"),
    ContextField("napi_id", 84, 4, reads=_NARROW, since="4.13"),
    ContextField("family", 88, 4, reads=_NARROW, since="4.14"),
    ContextField("remote_ip4", 92, 4, since="4.14"),
    ContextField("local_ip4", 96, 4, since="4.14"),
    ContextField("remote_ip6", 100, 16, since="4.14"),
    ContextField("local_ip6", 116, 16, since="4.14"),
    ContextField("remote_port", 132, 4, reads=_NARROW, since="4.14"),
    ContextField("local_port", 136, 4, reads=_NARROW, since="4.14"),
    ContextField("data_meta", 140, 4, FieldKind.PACKET_META, since="4.15"),
    ContextField("flow_keys", 144, 8, FieldKind.FLOW_KEYS, reads=(8,), since="4.20"),
    ContextField("tstamp", 152, 8, reads=(8,), since="5.0"),
    ContextField("wire_len", 160, 4, reads=_NARROW, since="5.0"),
    ContextField("gso_segs", 164, 4, reads=_NARROW, since="5.1"),
    ContextField("sk", 168, 8, FieldKind.SOCK_COMMON_OR_NULL, reads=(8,), since="5.1"),
    ContextField("gso_size", 176, 4, reads=_NARROW, since="5.7"),
    ContextField("tstamp_type", 180, 1, reads=(1,), since="5.18"),
    ContextField("hwtstamp", 184, 8, reads=(8,), since="5.16"),
)
_SK_BUFF_BYTES: Final = 192
_OF_SOCKETS: Final = frozenset(
    {"family", "remote_ip4", "local_ip4", "remote_ip6", "local_ip6", "remote_port", "local_port"}
)
_SPECIAL: Final = frozenset({"flow_keys", "tstamp_type"})


def _sk_buff(hidden: frozenset[str], writable: Mapping[str, tuple[int, ...]]) -> Context:
    fields = tuple(
        replace(field, writes=writable.get(field.name, field.writes))
        for field in _SK_BUFF_FIELDS
        if field.name not in hidden
    )
    return Context("__sk_buff", _SK_BUFF_BYTES, fields)


_NO_PACKET: Final = frozenset({"data", "data_end", "data_meta"})
SK_BUFF_SOCKET_FILTER: Final = _sk_buff(
    _SPECIAL | _NO_PACKET | _OF_SOCKETS | {"tc_classid", "tstamp", "wire_len", "hwtstamp"}, {}
)
SK_BUFF_TC: Final = _sk_buff(
    _OF_SOCKETS | {"flow_keys"},
    {
        "mark": (4,),
        "tc_index": (4,),
        "priority": (4,),
        "tc_classid": (4,),
        "tstamp": (8,),
        "queue_mapping": (4,),
    },
)
SK_BUFF_CGROUP: Final = _sk_buff(
    _SPECIAL | {"tc_classid", "data_meta", "wire_len"},
    {"mark": (4,), "priority": (4,), "tstamp": (8,)},
)
SK_BUFF_SK_SKB: Final = _sk_buff(
    _SPECIAL | {"mark", "tc_classid", "data_meta", "tstamp", "wire_len", "hwtstamp"},
    {"priority": (4,), "tc_index": (4,), "cb": ()},
)
SK_BUFF_LWT: Final = _sk_buff(
    _SPECIAL | _OF_SOCKETS | {"tc_classid", "data_meta", "tstamp", "wire_len", "hwtstamp"},
    {"mark": (4,), "priority": (4,)},
)
SK_BUFF_FLOW_DISSECTOR: Final = Context(
    "__sk_buff",
    _SK_BUFF_BYTES,
    tuple(
        replace(field, writes=())
        for field in _SK_BUFF_FIELDS
        if field.name in {"data", "data_end", "flow_keys"}
    ),
)
