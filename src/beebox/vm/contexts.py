"""Private contexts: where a context field lives at run time, for each context struct.

Scalar fields lie at their uapi offset with their uapi size, so that narrow and wide loads need no
translation. What is a pointer to the program, and what only the engines and helpers know, lies in
an area behind the uapi struct. Addresses are absolute and 8 bytes wide.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from beebox.errors import NotSupportedError
from beebox.tables.contexts import Context, ContextField, FieldKind
from beebox.tables.program_types import ProgramType


@dataclass(frozen=True, eq=False, slots=True)
class Layout:
    """A private context: its size in bytes, field name -> (offset, bytes)."""

    struct: str  # as tables.contexts names it
    size: int
    fields: Mapping[str, tuple[int, int]]

    def offset(self, name: str) -> int:
        """Where the field starts."""
        return self.fields[name][0]


def _layout(struct: str, extension: Mapping[str, int]) -> Layout:
    contexts = [
        row.value.context
        for row in ProgramType
        if row.value.context is not None and row.value.context.name == struct
    ]
    fields = {
        field.name: (field.offset, field.size)
        for context in contexts
        for field in context.fields
        if field.kind is FieldKind.SCALAR
    }
    at = max(context.size for context in contexts)
    at = (at + 7) & ~7
    for name, size in extension.items():
        align = min(size, 8)
        at = (at + align - 1) & ~(align - 1)
        fields[name] = (at, size)
        at += size
    return Layout(struct, (at + 7) & ~7, MappingProxyType(fields))


XDP_LAYOUT: Final = _layout(
    "xdp_md",
    {
        "data": 8,
        "data_end": 8,
        "data_meta": 8,
        "hard_start": 8,  # neither data nor data_meta may move below
        "hard_end": 8,  # data_end may not move above
        "frags_bytes": 8,  # of the frame, right behind data_end
    },
)
"""``struct xdp_buff``, as far as programs notice it."""

SKB_LAYOUT: Final = _layout(
    "__sk_buff",
    {
        "data": 8,
        "data_end": 8,  # of what is linear; the packet goes on behind it for len bytes in all
        "data_meta": 8,
        "flow_keys": 8,
        "sk": 8,
        "hard_start": 8,  # the buffer that the packet lies in
        "hard_end": 8,
        "mac_header": 8,
        "network_header": 8,
        "head_bytes": 4,  # from skb->head to data, in Linux
        "transport_header": 4,  # 16 bits from skb->head on; 0xffff: not set
        "linear_bytes": 4,  # of a packet's first bytes, how many are linear at the start
        "csum": 4,  # of CHECKSUM_COMPLETE
        "ip_summed": 4,
        "csum_level": 4,
        "encapsulation": 4,
        "hash_kind": 4,
        "mac_bytes": 4,  # skb->mac_len
        "socket": 80,  # the uapi struct bpf_sock that sk points to
    },
)
"""``struct sk_buff``, as far as programs notice it."""

_LAYOUTS: Final = {layout.struct: layout for layout in (XDP_LAYOUT, SKB_LAYOUT)}

KERNEL_BYTES: Final = MappingProxyType(
    {
        "pkt_type": 1,
        "tstamp_type": 1,
        **dict.fromkeys(
            (
                "queue_mapping",
                "protocol",
                "vlan_tci",
                "vlan_proto",
                "tc_index",
                "tc_classid",
                "family",
                "gso_segs",
                "gso_size",
            ),
            2,
        ),
    }
)
"""Fields that the kernel keeps in fewer bytes than uapi gives them, and how many.

A narrow load that is not narrower than this gives these bytes wherever in the field it reads: Linux
shifts the value only where it also masks it.
"""

STORED_BITS: Final = MappingProxyType({"tc_classid": 16, "tc_index": 16, "queue_mapping": 16})
"""Fields that keep fewer bits of a store than the program stores."""

NO_QUEUE_MAPPING: Final = 0xFFFF
"""``queue_mapping`` from a register: a value from here on (in 64 bits) is not stored at all."""


def layout_of(context: Context | None) -> Layout:
    """The layout for programs that see ``context``. Raises :exc:`NotSupportedError`."""
    found = _LAYOUTS.get(context.name) if context is not None else None
    if found is None:
        raise NotSupportedError(f"a {context.name if context else 'free'} context in userspace")
    return found


def private_range(layout: Layout, field: ContextField, offset: int, size: int) -> tuple[int, int]:
    """Where an access of ``size`` bytes at uapi ``offset`` inside ``field`` goes: (offset, bytes).

    A pointer is always 8 bytes.
    """
    private, bytes_ = layout.fields[field.name]
    if field.kind is not FieldKind.SCALAR:
        return private, bytes_
    if size >= KERNEL_BYTES.get(field.name, bytes_):
        return private, size
    return private + offset - field.offset, size
