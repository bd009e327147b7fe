"""The string section that .BTF and .BTF.ext share: offsets to text, and back.

Offset 0 is the empty string. Offsets of split BTF continue behind the strings of its base.
Source: the kernel's Documentation/bpf/btf.rst, "String Section".
"""

from __future__ import annotations

from collections.abc import Iterator

from beebox.errors import BtfError


class Strings:
    """A string section as read: text by offset. Raises :exc:`BtfError` for offsets outside.

    It hands out 16 times its own size at most: offsets into one long string would otherwise cost
    quadratic time and memory.
    """

    def __init__(self, data: bytes, base: Strings | None = None) -> None:
        if data and ((base is None and data[0]) or data[-1]):
            raise BtfError("the string section does not begin and end with NUL")
        self.data = data
        self.base = base
        self.first = base.end if base is not None else 0
        """The offset of the first own string: what the base has."""
        self._names: dict[int, str] = {0: ""}
        self._texts: dict[int, str] = {}
        self._left = 16 * len(data) + 65_536

    @property
    def end(self) -> int:
        """The offset behind the last string."""
        return self.first + len(self.data)

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
        if offset < self.first and self.base is not None:
            return self.base._bytes(offset)  # noqa: SLF001 -- the same class
        if offset == 0 and not self.data:
            return b""
        at = offset - self.first
        if not 0 <= at < len(self.data):
            raise BtfError(f"string offset {offset:#x} is outside the string section")
        end = self.data.index(0, at)
        self._left -= end - at
        if self._left < 0:
            raise BtfError("too many overlapping strings")
        return self.data[at:end]

    def places(self, text: bytes) -> Iterator[int]:
        """Every offset where ``text`` stands, the base's first; end it with NUL for a whole name.

        A name may begin inside of a longer string, so this asks for nothing in front of it.
        """
        if self.base is not None:
            yield from self.base.places(text)
        at = self.data.find(text)
        while at >= 0:
            yield self.first + at
            at = self.data.find(text, at + 1)


class StringTable:
    """A string section being written; every text is stored once.

    Given the section of an existing object, known texts keep their offsets, so that types read
    from it encode back to the same bytes. Given a ``base``, its texts are used where they stand
    and new ones are addressed behind them.
    """

    def __init__(self, data: bytes = b"", base: Strings | None = None) -> None:
        Strings(data, base)
        self._first = base.end if base is not None else 0
        self._data = bytearray(data or (b"" if self._first else b"\0"))
        self._offsets = {b"": 0}
        sources = [(self._first, bytes(self._data))]
        while base is not None:
            sources.append((base.first, base.data))
            base = base.base
        for at, texts in reversed(sources):
            for text in texts[:-1].split(b"\0") if texts else ():
                self._offsets.setdefault(text, at)
                at += len(text) + 1  # noqa: PLW2901 -- walks along the texts

    def add(self, text: str) -> int:
        """The offset of ``text``, stored now if it was not. Raises :exc:`BtfError` on a NUL."""
        raw = text.encode(errors="backslashreplace")
        if b"\0" in raw:
            raise BtfError(f"the string {text!r} contains NUL")
        known = self._offsets.get(raw)
        if known is None:
            known = self._offsets[raw] = self._first + len(self._data)
            self._data += raw + b"\0"
        return known

    def data(self) -> bytes:
        """The section's bytes so far, without the base's."""
        return bytes(self._data)
