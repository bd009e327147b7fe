"""The layout of a .BTF section: header, kinds, how long each type is, words in the host's order.

Everything behind the header's first four bytes is 32-bit words, in the byte order that the magic
tells; :func:`sections` turns them into the host's, so that nothing above asks for the order again.
Source: the kernel's Documentation/bpf/btf.rst.
"""

from __future__ import annotations

import struct
import sys
from array import array
from enum import IntEnum
from typing import Final, Literal, TypeAlias

from beebox.btf.strings import Strings
from beebox.errors import BtfError

MAGIC: Final = 0xEB9F
HEADER: Final = struct.Struct("<HBBIIIII")
"""magic, version, flags, hdr_len, type_off, type_len, str_off, str_len."""

BIG_HEADER: Final = struct.Struct(">HBBIIIII")

MAX_BYTES: Final = 1 << 26
"""Above any kernel's own BTF (6 MB); the kernel itself refuses 16 MB of types."""

ByteOrder: TypeAlias = Literal["little", "big"]


class Kind(IntEnum):
    """``BTF_KIND_*``."""

    INT = 1
    PTR = 2
    ARRAY = 3
    STRUCT = 4
    UNION = 5
    ENUM = 6
    FWD = 7
    TYPEDEF = 8
    VOLATILE = 9
    CONST = 10
    RESTRICT = 11
    FUNC = 12
    FUNC_PROTO = 13
    VAR = 14
    DATASEC = 15
    FLOAT = 16
    DECL_TAG = 17
    TYPE_TAG = 18
    ENUM64 = 19


FLAGGED: Final = frozenset(
    {
        Kind.STRUCT,
        Kind.UNION,
        Kind.ENUM,
        Kind.ENUM64,
        Kind.FWD,
        Kind.TYPE_TAG,
        Kind.DECL_TAG,
    }
)
"""Kinds that give kind_flag a meaning."""

COUNTED: Final = {
    Kind.STRUCT: 3,
    Kind.UNION: 3,
    Kind.ENUM: 2,
    Kind.ENUM64: 3,
    Kind.FUNC_PROTO: 2,
    Kind.DATASEC: 3,
}
"""Words of each of the rows that the kind's count tells; other kinds have none."""

TRAILING: Final = {Kind.INT: 1, Kind.ARRAY: 3, Kind.VAR: 1, Kind.DECL_TAG: 1}
"""Words behind the three that every type has."""

HEAD_WORDS: Final = 3
"""name_off, info, size or type."""

_RESERVED: Final = 0x60FF0000
_KINDS: Final = frozenset(Kind)


def words_of(info: int) -> int:
    """The length of a type with this ``info`` in words. Raises :exc:`BtfError`."""
    kind = info >> 24 & 0x1F
    if info & _RESERVED or (info >> 31 and kind not in FLAGGED):
        raise BtfError(f"reserved bits set in {info:#010x}")
    if kind not in _KINDS:
        raise BtfError(f"unknown kind {kind}")
    known = Kind(kind)
    return HEAD_WORDS + TRAILING.get(known, 0) + COUNTED.get(known, 0) * (info & 0xFFFF)


def byte_order(data: bytes) -> ByteOrder:
    """What the magic at the start of .BTF or .BTF.ext says. Raises :exc:`BtfError`."""
    magic = data[:2]
    if magic == MAGIC.to_bytes(2, "little"):
        return "little"
    if magic == MAGIC.to_bytes(2, "big"):
        return "big"
    raise BtfError(f"magic {magic.hex()} is not {MAGIC:04x} in either byte order")


def host_words(data: bytes, order: ByteOrder) -> bytes:
    """``data``, words of that byte order, as words of the host's."""
    return data if order == sys.byteorder else swapped(data)


def swapped(data: bytes) -> bytes:
    """``data``, whole words, in the other byte order."""
    words = array("I", data)
    words.byteswap()
    return words.tobytes()


def sections(data: bytes, base: Strings | None = None) -> tuple[bytes, Strings]:
    """The types, as words of the host's byte order, and the strings, behind those of ``base``.

    Raises :exc:`BtfError` for a header that is not one.
    """
    if len(data) < HEADER.size:
        raise BtfError("shorter than its header")
    if len(data) > MAX_BYTES:
        raise BtfError(f"larger than {MAX_BYTES} bytes")
    order = byte_order(data)
    layout = HEADER if order == "little" else BIG_HEADER
    _, version, flags, header, type_off, type_len, str_off, str_len = layout.unpack_from(data)
    if version != 1 or flags != 0:
        raise BtfError(f"version {version}, flags {flags:#x} are unknown")
    if not HEADER.size <= header <= len(data) or any(data[HEADER.size : header]):
        raise BtfError(f"unknown header of {header} bytes")
    if type_off % 4 or type_len % 4:
        raise BtfError("the types are not made of whole words")
    size = len(data) - header
    if type_off + type_len > size or str_off + str_len > size:
        raise BtfError("types or strings lie outside the section")
    types, strings = header + type_off, header + str_off
    return (
        host_words(data[types : types + type_len], order),
        Strings(data[strings : strings + str_len], base),
    )
