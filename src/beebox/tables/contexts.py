"""Context structs: what R1 points to when a program starts, field by field.

Offsets and sizes are the uapi ones; ``vm.memory`` owns where a field lives at run time.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import Final


class FieldKind(Enum):
    """What a loaded field *is*, beyond its width."""

    SCALAR = auto()
    PACKET = auto()
    PACKET_END = auto()
    PACKET_META = auto()


@dataclass(frozen=True, slots=True)
class ContextField:
    name: str
    offset: int
    size: int
    kind: FieldKind = FieldKind.SCALAR
    writable: bool = False  # fail closed: a row that says nothing refuses writes
    narrow: bool = False  # whether 1- and 2-byte loads inside the field are allowed
    since: str = "4.8"
    attach_types: tuple[str, ...] = ()  # non-empty: only programs of these attach types see it


@dataclass(frozen=True, slots=True)
class Context:
    name: str
    size: int
    fields: tuple[ContextField, ...]

    def field_at(self, offset: int, size: int) -> ContextField | None:
        """The field an access of ``size`` bytes at ``offset`` may touch, if any."""
        for field in self.fields:
            inside = field.offset <= offset and offset + size <= field.offset + field.size
            if inside and (size == field.size or field.narrow):
                return field
        return None


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
