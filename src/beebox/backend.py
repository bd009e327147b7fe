"""The contract of both kernels: what a loaded program, map and link can do.

``userspace`` and ``linux`` implement these protocols; apps, api and cli are written against them.
Keys and values are bytes here, in the kernel's layout; ``btf.values`` gives them Python values.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self

from beebox.obj.model import MapSpec, ObjectSpec, ProgramSpec
from beebox.tables.map_types import UpdateFlags


@dataclass(frozen=True, slots=True)
class TestRun:
    """The result of a test run: the last return value, the packet after it, ns per run.

    ``context`` is the uapi context struct after it, as BPF_PROG_TEST_RUN gives it, where one was
    given.
    """

    retval: int
    data_out: bytes
    duration_ns: int
    repeat: int
    engine: str  # "jit", "interpreter" or "linux"
    context: bytes = b""


class Map(Protocol):
    """A live map; a context manager.

    Per-CPU maps take and give, at this layer, one value per possible CPU, each padded to 8 bytes,
    one after the other: the layout of bpf(2).
    """

    @property
    def spec(self) -> MapSpec: ...
    @property
    def value_bytes(self) -> int:
        """The bytes of a value here: of a per-CPU map all CPUs', each padded to 8."""
        ...

    @property
    def id(self) -> int:
        """What a map of maps gives for it."""
        ...

    def lookup(self, key: bytes) -> bytes:
        """The value. Raises :exc:`KeyNotFound`."""
        ...

    def update(
        self, key: bytes, value: bytes | Map | Program, flags: UpdateFlags = UpdateFlags.ANY
    ) -> None:
        """Set the value; of a map of maps or programs a live object of the same kernel.

        Raises :exc:`MapFull`, :exc:`KeyExists`, :exc:`KeyNotFound`.
        """
        ...

    def delete(self, key: bytes) -> None:
        """Remove the element. Raises :exc:`KeyNotFound`."""
        ...

    def lookup_and_delete(self, key: bytes) -> bytes:
        """The value of an element that is gone then. Raises :exc:`KeyNotFound`."""
        ...

    def next_key(self, key: bytes | None) -> bytes:
        """The key after ``key``, the first for None. Raises :exc:`KeyNotFound` after the last."""
        ...

    def push(self, value: bytes, flags: UpdateFlags = UpdateFlags.ANY) -> None:
        """Put a value into a queue, stack or bloom filter. Raises :exc:`MapFull`."""
        ...

    def pop(self) -> bytes:
        """Take the next value out of a queue or stack. Raises :exc:`KeyNotFound`."""
        ...

    def peek(self) -> bytes:
        """The next value of a queue or stack. Raises :exc:`KeyNotFound`."""
        ...

    def contains(self, value: bytes) -> bool:
        """Whether a bloom filter may have the value: never False for one that was pushed."""
        ...

    def items(self) -> Iterator[tuple[bytes, bytes]]:
        """Every element; order is unspecified for hashes, ascending for arrays."""
        ...

    def lookup_batch(self) -> list[tuple[bytes, bytes]]:
        """Every element at once."""
        ...

    def update_batch(self, items: Sequence[tuple[bytes, bytes]]) -> None: ...
    def close(self) -> None: ...
    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...


class Program(Protocol):
    """A live program; a context manager."""

    @property
    def spec(self) -> ProgramSpec: ...
    def test_run(
        self,
        data: bytes,
        *,
        repeat: int = 1,
        context: bytes | None = None,
        checksum_complete: bool = False,
    ) -> TestRun:
        """Run over one packet, as BPF_PROG_TEST_RUN: ``repeat`` times, the last result is given.

        ``context`` is a uapi context struct (``__sk_buff``) to start from. ``checksum_complete``
        gives an skb the checksum of its device, which must be right afterwards.
        """
        ...

    def close(self) -> None: ...
    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...


class Link(Protocol):
    """A program attached to a hook; a context manager that detaches."""

    def close(self) -> None: ...


class Collection(Protocol):
    """An object after load: its programs and maps by name; a context manager that closes all."""

    @property
    def programs(self) -> Mapping[str, Program]: ...
    @property
    def maps(self) -> Mapping[str, Map]: ...
    def close(self) -> None: ...
    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...


class Backend(Protocol):
    """A kernel: loads objects."""

    @property
    def name(self) -> str: ...
    def load(self, spec: ObjectSpec, *, programs: Sequence[str] | None = None) -> Collection:
        """Make the maps, admit the programs (all, or those named).

        Raises :exc:`RejectedError` for an unsafe program, :exc:`NotSupportedError` for what this
        kernel lacks.
        """
        ...
