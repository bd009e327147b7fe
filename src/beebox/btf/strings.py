"""The string section that .BTF and .BTF.ext share: offsets to text, and back.

Offset 0 is the empty string. Source: the kernel's Documentation/bpf/btf.rst, "String Section".
"""

from __future__ import annotations

from beebox.errors import BtfError


class Strings:
    """A string section as read: text by offset. Raises :exc:`BtfError` for offsets outside.

    It hands out 16 times its own size at most: offsets into one long string would otherwise cost
    quadratic time and memory.
    """

    def __init__(self, data: bytes) -> None:
        if data and (data[0] or data[-1]):
            raise BtfError("the string section does not begin and end with NUL")
        self.data = data
        self._names: dict[int, str] = {0: ""}
        self._texts: dict[int, str] = {}
        self._left = 16 * len(data) + 65_536

    def name(self, offset: int) -> str:
        """The string at ``offset``, which must be UTF-8: names are identities, never repaired."""
        known = self._names.get(offset)
        if known is not None:
            return known
        try:
            text = self._bytes(offset).decode()
        except UnicodeDecodeError:
            raise BtfError(f"the string at {offset:#x} is not UTF-8") from None
        self._names[offset] = text
        return text

    def text(self, offset: int) -> str:
        """The string at ``offset`` for people (file names, source lines): bad bytes are shown."""
        known = self._texts.get(offset)
        if known is None:
            known = self._texts[offset] = self._bytes(offset).decode(errors="backslashreplace")
        return known

    def _bytes(self, offset: int) -> bytes:
        if offset == 0 and not self.data:
            return b""
        if not 0 <= offset < len(self.data):
            raise BtfError(f"string offset {offset:#x} is outside the string section")
        end = self.data.index(0, offset)
        self._left -= end - offset
        if self._left < 0:
            raise BtfError("too many overlapping strings")
        return self.data[offset:end]


class StringTable:
    """A string section being written; every text is stored once.

    Given the section of an existing object, known texts keep their offsets, so that types read
    from it encode back to the same bytes.
    """

    def __init__(self, data: bytes = b"\0") -> None:
        Strings(data)
        self._data = bytearray(data or b"\0")
        self._offsets = {b"": 0}
        at = 0
        for text in bytes(self._data[:-1]).split(b"\0"):
            self._offsets.setdefault(text, at)
            at += len(text) + 1

    def add(self, text: str) -> int:
        """The offset of ``text``, stored now if it was not. Raises :exc:`BtfError` on a NUL."""
        raw = text.encode(errors="backslashreplace")
        if b"\0" in raw:
            raise BtfError(f"the string {text!r} contains NUL")
        known = self._offsets.get(raw)
        if known is None:
            known = self._offsets[raw] = len(self._data)
            self._data += raw + b"\0"
        return known

    def data(self) -> bytes:
        """The section's bytes so far."""
        return bytes(self._data)
