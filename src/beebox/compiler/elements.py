"""Maps as CPython runs them, on one thread: a dict or a list, with the kernel's rules on top.

What is missing is None, a full map refuses with the kernel's negative errno, values are copies.
"""

from __future__ import annotations

import errno
import sys
from collections.abc import Iterator, Mapping
from typing import Any, Generic, TypeVar, cast

from beebox.compiler.integers import i64, u32
from beebox.compiler.views import coerce, in_bytes
from beebox.tables.map_types import MapFlags, UpdateFlags
from beebox.tables.program_types import XdpAction

K = TypeVar("K")
V = TypeVar("V")
M = TypeVar("M")


class _Typed:
    """What knows its type arguments."""

    __orig_class__: Any

    def _types(self) -> tuple[Any, Any]:
        types = self.__orig_class__.__args__
        return (types[0] if len(types) == 2 else u32), types[-1]


class Elements(_Typed, Generic[K, V]):
    """What keyed maps share: dict syntax with None for missing elements, values kept by copy."""

    _has_every_key = False
    _evicts = False

    def __init__(self, *, max_entries: int, flags: int = MapFlags.NONE) -> None:
        self.max_entries = max_entries
        self.flags = flags
        self._held: dict[Any, Any] = {}

    def __getitem__(self, key: K) -> V | None:
        kept = self._find(coerce(self._types()[0], key))
        if self._evicts and kept in self._held:
            self._held[kept] = self._held.pop(kept)  # used last
        return cast("V | None", self._held.get(kept))

    def _find(self, kept: Any) -> Any:
        """The stored key that answers for ``kept``; arrays make their elements here."""
        if self._has_every_key and kept not in self._held and 0 <= kept < self.max_entries:
            self._held[kept] = coerce(self._types()[1], None)
        return kept

    def __setitem__(self, key: K, value: V) -> None:
        self.update(key, value)  # as in BPF: a failed update is not seen here

    def update(self, key: K, value: V, flags: int = UpdateFlags.ANY) -> int:
        """``m[key] = value`` under a condition, NOEXIST or EXIST. 0, or a negative errno."""
        key_type, value_type = self._types()
        kept = coerce(key_type, key)
        before = self._stored(kept)
        there = before is not None
        if self._has_every_key and not 0 <= kept < self.max_entries:
            return i64(-errno.E2BIG)
        if flags == UpdateFlags.NOEXIST and there:
            return i64(-errno.EEXIST)
        if flags == UpdateFlags.EXIST and not there:
            return i64(-errno.ENOENT)
        if before is not None and before in self._held:
            del self._held[before]
        elif len(self._held) >= self.max_entries:
            if not self._evicts:
                return i64(-errno.E2BIG)
            del self._held[next(iter(self._held))]
        self._held[kept] = coerce(value_type, value)
        return i64(0)

    def _stored(self, kept: Any) -> Any:
        """The key of the element that ``kept`` replaces, or None."""
        return kept if self._has_every_key or kept in self._held else None

    def __delitem__(self, key: K) -> None:
        self.delete(key)

    def delete(self, key: K) -> int:
        """``del m[key]``: 0, or -ENOENT where there is none."""
        found = self._held.pop(self._stored(coerce(self._types()[0], key)), None)
        return i64(-errno.ENOENT if found is None else 0)

    def __contains__(self, key: K) -> bool:
        return self[key] is not None

    def __iter__(self) -> Iterator[K]:
        return iter(list(self._held))

    def __len__(self) -> int:
        return len(self._held)


class Hash(Elements[K, V]):
    """BPF_MAP_TYPE_HASH: ``Hash[u32, u64](max_entries=1024)``."""


class PerCpuHash(Elements[K, V]):
    """BPF_MAP_TYPE_PERCPU_HASH: each CPU has its own values."""


class LruHash(Elements[K, V]):
    """BPF_MAP_TYPE_LRU_HASH: a full map makes room by forgetting what was not used for long."""

    _evicts = True


class LruPerCpuHash(Elements[K, V]):
    """BPF_MAP_TYPE_LRU_PERCPU_HASH: as :class:`LruHash`, each CPU with its own values."""

    _evicts = True


class Array(Elements[int, V]):
    """BPF_MAP_TYPE_ARRAY: ``Array[u64](max_entries=8)``; keys are u32, elements start as zero."""

    _has_every_key = True


class PerCpuArray(Elements[int, V]):
    """BPF_MAP_TYPE_PERCPU_ARRAY: each CPU has its own elements."""

    _has_every_key = True


class LpmTrie(Elements[K, V]):
    """BPF_MAP_TYPE_LPM_TRIE: the longest stored prefix of a key answers for it.

    Keys are structs whose first field is ``prefixlen: u32``, the bits that count of what follows;
    network byte order makes those the leading ones. ``beebox.lib.net`` has keys for addresses.
    """

    def _find(self, kept: Any) -> Any:
        best = None
        for stored in self._held:
            if stored.prefixlen <= kept.prefixlen and (
                best is None or stored.prefixlen > best.prefixlen
            ):
                bits = int(stored.prefixlen)
                if _leading(stored, bits) == _leading(kept, bits):
                    best = stored
        return best

    def update(self, key: K, value: V, flags: int = UpdateFlags.ANY) -> int:
        """As of any map; a prefix longer than the key is -EINVAL."""
        kept = coerce(self._types()[0], key)
        if kept.prefixlen > (kept.size - 4) * 8:
            return i64(-errno.EINVAL)
        return super().update(key, value, flags)

    def _stored(self, kept: Any) -> Any:
        best = self._find(kept)
        return best if best is not None and best.prefixlen == kept.prefixlen else None


def _leading(key: Any, bits: int) -> int:
    data = in_bytes(key)[4:]
    return int.from_bytes(data, "big") >> (len(data) * 8 - bits)


class _Sequence(_Typed, Generic[V]):
    """What queues and stacks share."""

    _first = 0

    def __init__(self, *, max_entries: int, flags: int = MapFlags.NONE) -> None:
        self.max_entries = max_entries
        self.flags = flags
        self._held: list[Any] = []

    def push(self, value: V, flags: int = UpdateFlags.ANY) -> int:
        """Add a value; with EXIST a full map drops its oldest. 0, or a negative errno."""
        if len(self._held) >= self.max_entries:
            if flags != UpdateFlags.EXIST:
                return i64(-errno.E2BIG)
            self._held.pop(0)
        self._held.append(coerce(self._types()[1], value))
        return i64(0)

    def pop(self) -> V | None:
        """Take out the next value, or None."""
        return self._held.pop(self._first) if self._held else None

    def peek(self) -> V | None:
        """A copy of the next value, or None."""
        return coerce(self._types()[1], self._held[self._first]) if self._held else None

    def __len__(self) -> int:
        return len(self._held)


class Queue(_Sequence[V]):
    """BPF_MAP_TYPE_QUEUE: first in, first out; ``Queue[u32](max_entries=64)``."""


class Stack(_Sequence[V]):
    """BPF_MAP_TYPE_STACK: last in, first out."""

    _first = -1


class BloomFilter(_Typed, Generic[V]):
    """BPF_MAP_TYPE_BLOOM_FILTER: ``value in m`` may be true for what was never added.

    ``hashes``, 1 to 15, is the number of hash functions. Here only what was added is found.
    """

    def __init__(self, *, max_entries: int, hashes: int = 5, flags: int = MapFlags.NONE) -> None:
        self.max_entries = max_entries
        self.hashes = hashes
        self.flags = flags
        self._held: set[Any] = set()

    def add(self, value: V) -> int:
        """Remember a value. 0, or a negative errno."""
        self._held.add(coerce(self._types()[1], value))
        return i64(0)

    def __contains__(self, value: V) -> bool:
        return coerce(self._types()[1], value) in self._held


class _Maps(_Typed, Generic[K, M]):
    """What maps of maps share: programs look up, user space puts maps in."""

    def __init__(
        self,
        *,
        max_entries: int,
        inner_max_entries: int,
        inner_flags: int = MapFlags.NONE,
        flags: int = MapFlags.NONE,
        maps: Mapping[int, M] | None = None,
    ) -> None:
        self.max_entries = max_entries
        self.inner_max_entries = inner_max_entries
        self.inner_flags = inner_flags
        self.flags = flags
        self.maps: dict[Any, M] = dict(maps or {})

    def __getitem__(self, key: K) -> M | None:
        return self.maps.get(key)

    def __contains__(self, key: K) -> bool:
        return key in self.maps


class ArrayOfMaps(_Maps[int, M]):
    """BPF_MAP_TYPE_ARRAY_OF_MAPS: ``ArrayOfMaps[Hash[u32, u64]](...)``; elements are maps.

    ``inner_max_entries`` and ``inner_flags`` are those of the inner maps, ``maps`` the first ones
    by index: maps of this source.
    """


class HashOfMaps(_Maps[K, M]):
    """BPF_MAP_TYPE_HASH_OF_MAPS: ``HashOfMaps[u32, Hash[u32, u64]](...)``."""


class TailCalled(Exception):  # noqa: N818 -- no error: how CPython leaves the caller for good
    """A tail call has run to its end, with this verdict."""

    def __init__(self, verdict: Any) -> None:
        super().__init__()
        self.verdict = verdict


class ProgArray:
    """BPF_MAP_TYPE_PROG_ARRAY: programs for ``tail_call``.

    ``programs`` names the first ones by index: programs of this source.
    """

    def __init__(
        self,
        *,
        max_entries: int,
        flags: int = MapFlags.NONE,
        programs: Mapping[int, str] | None = None,
    ) -> None:
        self.max_entries = max_entries
        self.flags = flags
        self.programs = dict(programs or {})
        self._source = sys._getframe(1).f_globals  # noqa: SLF001 -- where the names are defined

    def call(self, ctx: Any, index: int) -> None:
        """Run the program at ``index`` and leave the caller; return when there is none."""
        if index in self.programs:
            raise TailCalled(self._source[self.programs[index]](ctx))


class _Targets:
    """What the maps of redirect targets share; user space fills them."""

    def __init__(self, *, max_entries: int, flags: int = MapFlags.NONE) -> None:
        self.max_entries = max_entries
        self.flags = flags
        self.targets: dict[int, int] = {}

    def redirect(self, key: int, flags: int = 0) -> XdpAction:
        """REDIRECT to the target at ``key``; where there is none, the low bits of ``flags``."""
        return XdpAction.REDIRECT if key in self.targets else XdpAction(flags & 3)

    def __contains__(self, key: int) -> bool:
        return key in self.targets


class DevMap(_Targets):
    """BPF_MAP_TYPE_DEVMAP: interfaces by index."""


class DevMapHash(_Targets):
    """BPF_MAP_TYPE_DEVMAP_HASH: interfaces by any u32."""


class CpuMap(_Targets):
    """BPF_MAP_TYPE_CPUMAP: CPUs that go on with the packet; values are queue lengths."""


class XskMap(_Targets):
    """BPF_MAP_TYPE_XSKMAP: AF_XDP sockets by receive queue."""
