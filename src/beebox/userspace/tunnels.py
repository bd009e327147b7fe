"""The tunnel metadata of the packet at hand: a block that ``source/tunnel.py`` reads and writes."""

from __future__ import annotations

import struct
from ipaddress import IPv4Address
from types import MappingProxyType
from typing import Final

from beebox.userspace.network.model import AF_INET, AF_INET6, TunnelKey
from beebox.vm.memory import RUNTIME_FIELDS, Buffer

FIELDS: Final = MappingProxyType(
    {
        "TUNNEL_FAMILY": 0,
        "TUNNEL_OWN": 4,
        "TUNNEL_FLAGS": 8,
        "TUNNEL_ID": 16,
        "TUNNEL_TOS": 24,
        "TUNNEL_TTL": 25,
        "TUNNEL_LABEL": 28,
        "TUNNEL_SRC": 32,
        "TUNNEL_DST": 48,
        "TUNNEL_OPTIONS_BYTES": 64,
        "TUNNEL_OPTIONS": 72,
        "TUNNEL_SCRATCH": 328,
    }
)
"""Offsets in the block; family 0 means that the packet has no metadata."""
TUNNEL_BYTES: Final = FIELDS["TUNNEL_SCRATCH"]
"""What belongs to a packet: the block holds it twice, as it is now and as each packet starts."""

_BLOCK_BYTES: Final = 384
_OPTION_FLAGS: Final = 0xD800  # GENEVE, VXLAN, ERSPAN, GTP


CONSTANTS: Final = MappingProxyType(
    {
        **FIELDS,
        "TUNNEL": RUNTIME_FIELDS["tunnel"][0],
        "TUNNEL_BYTES": TUNNEL_BYTES,
        "TUNNEL_START": _BLOCK_BYTES,
    }
)


class TunnelBlock:
    """The block of one thread's runtime block."""

    def __init__(self, key: TunnelKey | None = None) -> None:
        self._buffer = Buffer(2 * _BLOCK_BYTES)
        self._start = _encode(key) if key is not None else bytes(TUNNEL_BYTES)
        self._buffer.view[_BLOCK_BYTES : _BLOCK_BYTES + TUNNEL_BYTES] = self._start
        self.address = self._buffer.address
        self.reset()

    def reset(self) -> None:
        """As a packet starts."""
        self._buffer.view[:TUNNEL_BYTES] = self._start


def _encode(key: TunnelKey) -> bytes:
    out = bytearray(TUNNEL_BYTES)
    four = isinstance(key.remote, IPv4Address)
    flags = key.flags | (_OPTION_FLAGS if key.options else 0)
    struct.pack_into("<III4xQBB2xI", out, 0, 0, 0, flags, key.id, key.tos, key.ttl, key.label)
    struct.pack_into("<I", out, 0, AF_INET if four else AF_INET6)
    for name, address in (("TUNNEL_SRC", key.remote), ("TUNNEL_DST", key.local)):
        packed = address.packed
        out[FIELDS[name] : FIELDS[name] + len(packed)] = packed
    struct.pack_into("<I", out, FIELDS["TUNNEL_OPTIONS_BYTES"], len(key.options))
    start = FIELDS["TUNNEL_OPTIONS"]
    out[start : start + len(key.options)] = key.options
    return bytes(out)
