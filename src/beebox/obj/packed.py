"""An object's bytes as text that a Python module can hold."""

from __future__ import annotations

import base64
import zlib
from typing import Final

from beebox.errors import InputError

_MOST_BYTES: Final = 64 << 20


def pack(data: bytes) -> str:
    """``data`` compressed, in printable ASCII without quotes and backslashes."""
    return base64.b85encode(zlib.compress(data, 9)).decode("ascii")


def unpack(text: str) -> bytes:
    """The bytes that :func:`pack` was given. Raises :exc:`InputError` for any other text."""
    unpacking = zlib.decompressobj()
    try:
        data = unpacking.decompress(base64.b85decode(text), _MOST_BYTES)
    except (ValueError, zlib.error) as cause:
        raise InputError(f"the embedded object is damaged: {cause}") from cause
    if not unpacking.eof:
        raise InputError("the embedded object is damaged: it does not end")
    return data
