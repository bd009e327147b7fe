"""Instructions of machines of the other byte order."""

from __future__ import annotations

from typing import Final

_NIBBLES: Final = bytes(value >> 4 | (value & 15) << 4 for value in range(256))


def reordered(code: bytes) -> bytes:
    """``code`` in the other byte order; twice, it is what it was.

    Fields of 2 and 4 bytes are turned round, and the two registers change places.
    """
    out = bytearray(code)
    out[1::8] = code[1::8].translate(_NIBBLES)
    for first, last in ((2, 3), (4, 7)):
        for at in range(last - first + 1):
            out[first + at :: 8] = code[last - at :: 8]
    return bytes(out)
