"""Types that are decoded when they are asked for: a kernel's table opens in milliseconds.

Opening walks the section once, which proves that every type lies in it whole. What a type says
(its names, the types it refers to) is checked when it is decoded, so a malformed one raises
:exc:`BtfError` at that moment. Which type begins where is an :class:`Index`, worth keeping.
"""

from __future__ import annotations

import contextlib
import sys
from array import array
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Final, overload
from zlib import crc32

from beebox.btf.decode import decode, references
from beebox.btf.strings import Strings
from beebox.btf.types import Type
from beebox.btf.wire import HEAD_WORDS, words_of
from beebox.errors import BtfError

_LOOKUPS_BY_SEARCH: Final = 64
"""Names looked up one by one (1 ms each for a kernel) before a table of all (80 ms) pays."""

_FEW_PLACES: Final = 16
"""Each costs a search through the bytes; more are cheaper in one pass over the numbers."""


class Index:
    """Where every type begins, in words, and the offsets of their names.

    ``hashes``, if they are there, are those of all names, sorted, and ``places`` whose they are.
    """

    def __init__(
        self,
        starts: array[int],
        names: array[int],
        hashes: array[int] | None = None,
        places: array[int] | None = None,
    ) -> None:
        self.starts = starts
        self.names = names
        self.hashes = array("I") if hashes is None else hashes
        self.places = array("I") if places is None else places

    def hashed(self, strings: Strings) -> Index:
        """With the hashes of the names, which lie in ``strings``."""
        data, first = strings.data, strings.first
        known: dict[int, int] = {}
        pairs: list[int] = []
        for at, name in enumerate(self.names):
            if name not in known:
                start = name - first
                end = data.find(0, start) if 0 <= start < len(data) else -1
                known[name] = crc32(data[start:end]) if end >= 0 else 0
            pairs.append(known[name] << 32 | at)
        pairs.sort()
        hashes = array("I", [pair >> 32 for pair in pairs])
        places = array("I", [pair & 0xFFFFFFFF for pair in pairs])
        return Index(self.starts, self.names, hashes, places)

    def data(self) -> bytes:
        """The index as bytes, of this host's byte order; its hashes must be there."""
        columns = (self.starts, self.names, self.hashes, self.places)
        return b"".join(column.tobytes() for column in columns)

    @staticmethod
    def from_data(data: bytes) -> Index:
        """The index that :meth:`data` gave. Raises :exc:`BtfError` if it cannot be one."""
        columns = [array("I") for _ in range(4)]
        quarter, rest = divmod(len(data), 4)
        if rest or quarter % columns[0].itemsize:
            raise BtfError("not an index")
        for number, column in enumerate(columns):
            column.frombytes(data[number * quarter : (number + 1) * quarter])
        return Index(*columns)


class _Lengths(dict[int, int]):
    """The length of a type by its info word: there are few different ones."""

    def __missing__(self, info: int) -> int:
        length = self[info] = words_of(info)
        return length


def index(raw: bytes, first: int) -> Index:
    """Where the types in ``raw`` begin; ``first`` is the id of the first, for errors."""
    words = memoryview(raw).cast("I")
    starts: list[int] = []
    lengths = _Lengths()
    add = starts.append
    at, end = 1, len(words)  # at the info words: the second of each type
    try:
        while at < end:
            add(at)
            at += lengths[words[at]]
    except BtfError as error:
        raise BtfError(str(error).removeprefix("BTF: "), type_id=first + len(starts) - 1) from None
    if at != end + 1:
        raise BtfError("cut short", type_id=first + max(len(starts) - 1, 0))
    return Index(
        array("I", [start - 1 for start in starts]), array("I", [words[i - 1] for i in starts])
    )


class LazyTypes(Sequence[Type]):
    """The types of a section, the first with id ``first``; equal to the tuple of all of them."""

    def __init__(
        self, raw: bytes, strings: Strings, first: int = 1, known: Index | None = None
    ) -> None:
        self._words = memoryview(raw).cast("I")
        self._strings = strings
        self._first = first
        self.places = index(raw, first) if known is None else known
        if self.places.starts and self.places.starts[-1] + HEAD_WORDS > len(self._words):
            raise BtfError("the index is not of this section")
        self._known: dict[int, Type] = {}
        self._lookups = 0

    def __len__(self) -> int:
        return len(self.places.starts)

    @overload
    def __getitem__(self, at: int) -> Type: ...
    @overload
    def __getitem__(self, at: slice) -> tuple[Type, ...]: ...
    def __getitem__(self, at: int | slice) -> Type | tuple[Type, ...]:
        if isinstance(at, slice):
            return tuple(self[i] for i in range(*at.indices(len(self))))
        known = self._known.get(at)
        if known is None:
            size = len(self)
            if not -size <= at < size:
                raise IndexError(at)
            known = self._known[at] = self._decode(at % size)
        return known

    def __iter__(self) -> Iterator[Type]:
        return map(self.__getitem__, range(len(self)))

    def __eq__(self, other: object) -> bool:
        if isinstance(other, LazyTypes | tuple):
            return self is other or (len(self) == len(other) and tuple(self) == tuple(other))
        return NotImplemented

    def __hash__(self) -> int:
        return hash(tuple(self))

    def _decode(self, at: int) -> Type:
        type_id = self._first + at
        start = self.places.starts[at]
        try:
            row = decode(self._words, start, self._strings)
        except BtfError as error:
            raise BtfError(str(error).removeprefix("BTF: "), type_id=type_id) from None
        except (IndexError, KeyError):  # an index of another section
            raise BtfError("cut short or malformed", type_id=type_id) from None
        count = self._first + len(self)
        for target in references(row):
            if target >= count:
                raise BtfError(f"refers to type {target}, which is not there", type_id=type_id)
        return row

    def at_name(self, name: str) -> list[int]:
        """Where the types called ``name`` are, without decoding any; in order."""
        if self.places.hashes:
            return self._with_hash(name)
        self._lookups += 1
        if self._lookups > _LOOKUPS_BY_SEARCH:
            return self._by_name.get(name, [])
        return self._with_names(self._strings.places(name.encode(errors="replace") + b"\0"))

    def _with_hash(self, name: str) -> list[int]:
        raw = name.encode(errors="replace")
        wanted = crc32(raw)
        found: list[int] = []
        number = bisect_left(self.places.hashes, wanted)
        while number < len(self.places.hashes) and self.places.hashes[number] == wanted:
            at = self.places.places[number]
            with contextlib.suppress(BtfError, IndexError):  # found by nobody; of another section
                if self._strings.name(self.places.names[at]) == name:
                    found.append(at)
            number += 1
        return found

    def kept(self) -> bytes:
        """The index with the hashes of all names, to be given again with the same section."""
        return self.places.hashed(self._strings).data()

    def at_prefix(self, prefix: str) -> list[int]:
        """Where the types are whose names begin with ``prefix``; in order."""
        return self._with_names(self._strings.places(prefix.encode(errors="replace")))

    @cached_property
    def _by_name(self) -> dict[str, list[int]]:
        by_place: dict[int, list[int]] = {}
        for at, place in enumerate(self.places.names):
            if place in by_place:
                by_place[place].append(at)
            else:
                by_place[place] = [at]
        found: dict[str, list[int]] = {}
        for place, types in by_place.items():
            with contextlib.suppress(BtfError):  # such a name is found by nobody
                name = self._strings.name(place)
                found[name] = sorted(found[name] + types) if name in found else types
        return found

    def _with_names(self, places: Iterator[int]) -> list[int]:
        wanted = self._distinct_names.intersection(places)  # most are tails of longer names
        if len(wanted) > _FEW_PLACES:
            return [at for at, name in enumerate(self.places.names) if name in wanted]
        return sorted(at for place in wanted for at in self._with_name(place))

    @cached_property
    def _distinct_names(self) -> frozenset[int]:
        return frozenset(self.places.names)

    def _with_name(self, place: int) -> Iterator[int]:
        names, wanted = self._name_bytes, place.to_bytes(4, sys.byteorder)
        at = names.find(wanted)
        while at >= 0:
            if at % 4 == 0:
                yield at // 4
            at = names.find(wanted, at + 1)

    @cached_property
    def _name_bytes(self) -> bytes:
        return self.places.names.tobytes()

    def at_kinds(self, kinds: frozenset[int]) -> list[int]:
        """Where the types of these ``BTF_KIND_*`` are, without decoding any; in order."""
        words = self._words
        return [
            at
            for at, start in enumerate(self.places.starts)
            if words[start + 1] >> 24 & 0x1F in kinds
        ]
