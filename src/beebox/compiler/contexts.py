"""Program types and their contexts as the language spells them.

``tables.contexts`` says what programs of each type may load and store; here stand the decorators,
the class that a program's parameter has, and which fields hold network byte order.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum, IntFlag
from functools import cache
from typing import Final

from beebox.compiler.ir import IntType
from beebox.tables.contexts import Context, ContextField
from beebox.tables.map_types import MapFlags, UpdateFlags
from beebox.tables.program_types import (
    CgroupSkbVerdict,
    FlowDissectorVerdict,
    LwtVerdict,
    PacketAccess,
    ProgramType,
    TcAction,
    XdpAction,
)
from beebox.tables.sections import SectionRow

DECORATORS: Final[Mapping[str, str]] = {
    "xdp": "xdp",
    "tc": "tc",
    "tcx_ingress": "tcx/ingress",
    "tcx_egress": "tcx/egress",
    "socket_filter": "socket",
    "cgroup_skb_ingress": "cgroup_skb/ingress",
    "cgroup_skb_egress": "cgroup_skb/egress",
    "lwt_in": "lwt_in",
    "lwt_out": "lwt_out",
    "lwt_xmit": "lwt_xmit",
    "lwt_seg6local": "lwt_seg6local",
    "flow_dissector": "flow_dissector",
}
"""Decorators and the SEC() names that they stand for."""

FRAGS: Final = "xdp.frags"
"""What ``@xdp(frags=True)`` stands for."""

ANY_CONTEXT: Final = "PacketContext"
"""A parameter of this class takes the caller's context, whatever it is."""

CONTEXT_CLASSES: Final[Mapping[str, str]] = {"XdpContext": "xdp_md", "SkbContext": "__sk_buff"}
"""Classes of the language and the context structs that they stand for."""

ENUMS: Final[tuple[type[IntEnum | IntFlag], ...]] = (
    XdpAction,
    TcAction,
    CgroupSkbVerdict,
    LwtVerdict,
    FlowDissectorVerdict,
    MapFlags,
    UpdateFlags,
)
"""Enums of the tables that programs name: verdicts, and flags of maps."""

_NETWORK_ORDER: Final[Mapping[str, int]] = {
    "protocol": 16,
    "vlan_proto": 16,
    "remote_ip4": 32,
    "local_ip4": 32,
    "remote_ip6": 32,
    "local_ip6": 32,
    "remote_port": 32,
}
"""Bits of a ``__sk_buff`` field's value that are in network byte order (linux/bpf.h)."""


def members_of(enum: type[IntEnum | IntFlag]) -> dict[str, int]:
    """Every member, those with the value 0 included."""
    return {name: int(member) for name, member in enum.__members__.items()}


def class_of(context: str) -> str:
    """The language's class for a context struct."""
    return next((name for name, row in CONTEXT_CLASSES.items() if row == context), context)


def reads_as(field: ContextField) -> tuple[IntType, bool]:
    """What a load of the field (or of one element) gives, and whether it converts byte order."""
    bits = _NETWORK_ORDER.get(field.name)
    return IntType(bits or element_bytes(field) * 8, signed=False), bits is not None


def element_bytes(field: ContextField) -> int:
    """Bytes that one load reads: the field's own, or those of an element of an array."""
    return field.size if field.size <= 8 else 4


def count_of(field: ContextField) -> int:
    """Elements of an array (``cb``, the IPv6 addresses); 0 for a plain field."""
    return field.size // 4 if field.size > 8 else 0


def fields_of(context: str, section: SectionRow | None) -> dict[str, ContextField]:
    """The fields that a program sees; all there are when its type is not known."""
    if section is None or section.program_type.value.context is None:
        return {field.name: field for field in whole(context).fields}
    attached = "" if section.attach_type is None else section.attach_type.name.lower()
    return {
        field.name: field
        for field in section.program_type.value.context.fields
        if not field.attach_types or attached in field.attach_types
    }


@cache
def whole(context: str) -> Context:
    """The struct with every field that programs of some type see, by offset."""
    found: dict[str, ContextField] = {}
    size = 0
    for program_type in ProgramType:
        row = program_type.value.context
        if row is not None and row.name == context:
            size = row.size
            for field in row.fields:
                known = found.get(field.name)
                if known is None or len(field.writes) > len(known.writes):
                    found[field.name] = field
    return Context(context, size, tuple(sorted(found.values(), key=lambda field: field.offset)))


def seeing(context: str, field: str) -> tuple[str, ...]:
    """The names of the program types that see a field."""
    return tuple(
        row.value.name
        for row in ProgramType
        if row.value.context is not None
        and row.value.context.name == context
        and row.value.context.field(field) is not None
    )


def attached_as(section: SectionRow | None, field: str) -> tuple[str, ...]:
    """The attachments for which programs of this type see a field, where only some do."""
    context = section.program_type.value.context if section is not None else None
    found = context.field(field) if context is not None else None
    return found.attach_types if found is not None else ()


def packet_access(section: SectionRow | None) -> PacketAccess:
    """What a program may do to the packet; everything when its type is not known."""
    return PacketAccess.WRITE if section is None else section.program_type.value.packet


def described(section: SectionRow | None) -> str:
    """A program's type with its article, for messages."""
    if section is None:
        return "a program"
    return f"{with_article(section.program_type.value.name)} program"


def with_article(name: str) -> str:
    """A kernel's word in a sentence: an xdp (program), an lru_hash, a hash."""
    spelled_out = name.startswith(("xdp", "lru", "lpm", "lwt", "xsk"))  # "an el are you hash"
    return f"an {name}" if spelled_out or name[0] in "aeio" else f"a {name}"
