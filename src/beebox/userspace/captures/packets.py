"""Packets in memory: a block of a capture, or all of it, and the interfaces they came from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final

import numpy as np
import numpy.typing as npt

from beebox.errors import CaptureError
from beebox.userspace.captures import native
from beebox.userspace.captures.native import LinkKind

LINKTYPE_ETHERNET: Final = 1
LINKS: Final = MappingProxyType(
    {
        0: ("BSD loopback", LinkKind.FAMILY),
        1: ("Ethernet", LinkKind.ETHERNET),
        12: ("raw IP", LinkKind.RAW),
        101: ("raw IP", LinkKind.RAW),
        105: ("802.11", None),
        108: ("OpenBSD loopback", LinkKind.FAMILY),
        113: ("Linux cooked", LinkKind.COOKED),
        127: ("802.11 radiotap", None),
        189: ("Linux USB", None),
        228: ("raw IPv4", LinkKind.RAW),
        229: ("raw IPv6", LinkKind.RAW),
        276: ("Linux cooked v2", LinkKind.COOKED_2),
    }
)
"""Link types by LINKTYPE_ number: a name, and how their packets become Ethernet frames."""


@dataclass(frozen=True, slots=True)
class Interface:
    """Where packets were captured. ``offset`` is the place in the file that describes it."""

    link_type: int = LINKTYPE_ETHERNET
    snaplen: int = 0  # 0: no limit
    name: str = ""
    offset: int = 0

    @property
    def link_name(self) -> str:
        """What the link type is called."""
        return LINKS[self.link_type][0] if self.link_type in LINKS else "unknown"

    @property
    def kind(self) -> LinkKind | None:
        """How packets become Ethernet frames; None where that is not known."""
        return LINKS[self.link_type][1] if self.link_type in LINKS else None


ETHERNET: Final = (Interface(),)


@dataclass(frozen=True, eq=False)
class Capture:
    """Packets in their order. Packet ``i`` is ``data[offsets[i]:][:lengths[i]]``.

    ``lengths`` are captured bytes; ``wire_lengths`` what was on the wire, more where packets were
    snapped. ``times_ns`` counts from 1970. ``links[i]`` says which of ``interfaces`` packet ``i``
    came from; None: all from the first. ``numbers`` are their places in the file, from 1; None:
    one after the other from ``first`` on.
    """

    file: str
    data: npt.NDArray[np.uint8]
    offsets: npt.NDArray[np.uint64]
    lengths: npt.NDArray[np.uint32]
    wire_lengths: npt.NDArray[np.uint32]
    times_ns: npt.NDArray[np.uint64]
    interfaces: tuple[Interface, ...] = ETHERNET
    links: npt.NDArray[np.uint32] | None = None
    first: int = 1
    numbers: npt.NDArray[np.uint64] | None = None

    def __len__(self) -> int:
        return len(self.offsets)

    def packet(self, index: int) -> bytes:
        """The captured bytes of one packet."""
        start = int(self.offsets[index])
        return self.data[start : start + int(self.lengths[index])].tobytes()

    def __iter__(self) -> Iterator[bytes]:
        return (self.packet(index) for index in range(len(self)))

    def number(self, index: int) -> int:
        """The place of one packet in its file, from 1."""
        return self.first + index if self.numbers is None else int(self.numbers[index])

    def interface(self, index: int) -> Interface:
        """Where one packet was captured."""
        return self.interfaces[0 if self.links is None else int(self.links[index])]

    @property
    def total_bytes(self) -> int:
        """The captured bytes of all packets."""
        return int(self.lengths.sum(dtype=np.uint64))

    def select(self, chosen: npt.NDArray[np.bool_]) -> Capture:
        """The packets where ``chosen`` is true, over the same data."""
        if bool(chosen.all()):
            return self
        numbers = self.numbers
        if numbers is None:
            numbers = np.arange(self.first, self.first + len(self), dtype=np.uint64)
        return replace(
            self,
            offsets=self.offsets[chosen],
            lengths=self.lengths[chosen],
            wire_lengths=self.wire_lengths[chosen],
            times_ns=self.times_ns[chosen],
            links=None if self.links is None else self.links[chosen],
            numbers=numbers[chosen],
        )

    def part(self, start: int, stop: int) -> Capture:
        """Packets ``start`` to ``stop``, over the same data."""
        if start <= 0 and stop >= len(self):
            return self
        return replace(
            self,
            offsets=self.offsets[start:stop],
            lengths=self.lengths[start:stop],
            wire_lengths=self.wire_lengths[start:stop],
            times_ns=self.times_ns[start:stop],
            links=None if self.links is None else self.links[start:stop],
            first=self.first + start,
            numbers=None if self.numbers is None else self.numbers[start:stop],
        )

    def ethernet(self) -> Capture:
        """The packets as Ethernet frames; itself where they are.

        A packet of another link gets a header of zero addresses and the EtherType that its link
        tells; one too short for its link's header becomes an empty frame. Raises
        :exc:`CaptureError` for a packet of a link that has no such meaning.
        """
        kinds = [interface.kind for interface in self.interfaces]
        if all(kind is LinkKind.ETHERNET for kind in kinds) or not len(self):
            return self
        links = self.links if self.links is not None else np.zeros(len(self), dtype=np.uint32)
        for number, kind in enumerate(kinds):
            if kind is None and bool((links == number).any()):
                self._refuse(int(np.argmax(links == number)))
        if all(kinds[number] is LinkKind.ETHERNET for number in np.unique(links).tolist()):
            return self
        room = self.total_bytes + 14 * len(self) + 16
        data = np.empty(room, dtype=np.uint8)
        offsets = np.empty(len(self), dtype=np.uint64)
        lengths, wires = (np.empty(len(self), dtype=np.uint32) for _ in range(2))
        native.call(
            "frame",
            self.data,
            COUNT=len(self),
            OFFSETS=np.ascontiguousarray(self.offsets),
            LENGTHS=np.ascontiguousarray(self.lengths),
            WIRES=np.ascontiguousarray(self.wire_lengths),
            INTERFACES=np.ascontiguousarray(links),
            KINDS=np.array([kind or 0 for kind in kinds], dtype=np.uint8),
            OUT=data,
            OUT_OFFSETS=offsets,
            OUT_LENGTHS=lengths,
            OUT_WIRES=wires,
        )
        return replace(
            self,
            data=data,
            offsets=offsets,
            lengths=lengths,
            wire_lengths=wires,
            interfaces=ETHERNET,
            links=None,
        )

    def differs(self, other: Capture) -> npt.NDArray[np.bool_]:
        """Which packets hold other bytes than those at the same places of ``other``."""
        assert len(self) == len(other)
        found = np.zeros(len(self), dtype=np.uint8)
        native.call(
            "differ",
            self.data,
            COUNT=len(self),
            OFFSETS=np.ascontiguousarray(self.offsets),
            LENGTHS=np.ascontiguousarray(self.lengths),
            OTHER=other.data,
            OUT_OFFSETS=np.ascontiguousarray(other.offsets),
            OUT_LENGTHS=np.ascontiguousarray(other.lengths),
            OUT=found,
        )
        return found.astype(np.bool_)

    def _refuse(self, index: int) -> None:
        interface = self.interface(index)
        raise CaptureError(
            f"link type {interface.link_type} ({interface.link_name}) holds no Ethernet or IP "
            "packets that a program could be given",
            file=self.file,
            offset=interface.offset,
            packet=self.number(index),
        )


def join(blocks: Sequence[Capture], *, file: str) -> Capture:
    """One capture of several blocks, in memory of its own; blocks may share theirs."""
    if not blocks:
        nothing = np.empty(0, dtype=np.uint32)
        wide = np.empty(0, dtype=np.uint64)
        return Capture(file, np.empty(0, dtype=np.uint8), wide, nothing, nothing, wide)
    if len(blocks) == 1:
        return blocks[0]
    data: list[npt.NDArray[np.uint8]] = []
    offsets, links, base, end = [], [], 0, 0
    interfaces: list[Interface] = []
    for block in blocks:
        if not data or block.data is not data[-1]:
            data.append(block.data)
            base, end = end, end + len(block.data)
        offsets.append(block.offsets + np.uint64(base))
        own = block.links if block.links is not None else np.zeros(len(block), dtype=np.uint32)
        links.append((own + len(interfaces)).astype(np.uint32))
        interfaces += block.interfaces
    return Capture(
        file=file,
        data=np.concatenate(data),
        offsets=np.concatenate(offsets),
        lengths=np.concatenate([block.lengths for block in blocks]),
        wire_lengths=np.concatenate([block.wire_lengths for block in blocks]),
        times_ns=np.concatenate([block.times_ns for block in blocks]),
        interfaces=tuple(interfaces),
        links=np.concatenate(links),
        first=blocks[0].first,
    )
