"""Where packets were sent: a record per packet, counts by target, counts of cloned packets.

Native code writes the records (``vm.memory``'s runtime block has their fields) and the counts of
clones (``source/skb_net.py``).
"""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from beebox.maps.view import LiveMap
from beebox.vm.memory import Buffer

if TYPE_CHECKING:
    from beebox.userspace.replay import Batch

RECORD: Final = np.dtype(
    [("map", "<u8"), ("key", "<u8"), ("flags", "<u8"), ("ifindex", "<u4"), ("kind", "<u4")]
)
"""One redirection: the map's storage (0: none), its key, the flags, the device; ``kind`` 0 and no
map where none was asked for."""

INGRESS: Final = 1
BROADCAST: Final = 8
NEIGH: Final = 0x1_0000
PEER: Final = 0x2_0000

CLONE_ENTRIES: Final = 256
_CLONES: Final = struct.Struct("<QQ")


@dataclass(frozen=True, slots=True, order=True)
class Target:
    """Where a packet went: a device, by the index that the program gave, or a map's element.

    ``ifindex`` is 0 for an element that names no device. ``how`` is "", "ingress", "peer",
    "neighbour", "broadcast", or "nowhere" for a verdict with no redirection behind it.
    """

    ifindex: int = 0
    map_name: str = ""
    key: int = 0
    how: str = ""


def way_of(flags: int) -> str:
    """The ``how`` of a redirect's flags."""
    if flags & PEER:
        return "peer"
    if flags & NEIGH:
        return "neighbour"
    return "ingress" if flags & INGRESS else ""


class Redirects:
    """An observer of a replay: packets by target, of those whose verdict is to be redirected."""

    wants_frames = False

    def __init__(self, maps: Mapping[str, LiveMap]) -> None:
        self._names = {live.storage.address: name for name, live in maps.items()}
        self._counts: Counter[Target] = Counter()

    def see(self, batch: Batch) -> None:
        """Count one batch."""
        if batch.targets is None:
            return
        verdicts = batch.hook.verdicts.items()
        redirected = next((value for value, name in verdicts if name == "REDIRECT"), None)
        if redirected is None:
            return
        chosen = batch.targets[batch.ran & (batch.retvals == redirected)]
        rows, counts = np.unique(chosen, return_counts=True)
        for row, count in zip(rows.tolist(), counts.tolist(), strict=True):
            self._counts[self._target(*row)] += count

    def _target(self, address: int, key: int, flags: int, ifindex: int, kind: int) -> Target:
        if address:
            name = self._names.get(address, "")
            if flags & BROADCAST:
                return Target(map_name=name, how="broadcast")
            return Target(ifindex, name, key)
        return Target(ifindex, how=way_of(flags)) if kind else Target(how="nowhere")

    def counts(self) -> list[tuple[Target, int]]:
        """Packets by target, the most first."""
        return sorted(self._counts.items(), key=lambda row: (-row[1], row[0]))


class CloneCounts:
    """How many clones bpf_clone_redirect sent where.

    Of more than :data:`CLONE_ENTRIES` - 1 targets, the last ones share one count.
    """

    def __init__(self) -> None:
        self._buffer = Buffer(CLONE_ENTRIES * _CLONES.size)
        self.address = self._buffer.address

    def counts(self) -> Mapping[Target, int]:
        """By target; what found no place of its own is under ``ifindex`` 0."""
        found: dict[Target, int] = {}
        for target, count in _CLONES.iter_unpack(self._buffer.view):
            if count:
                number = target - 1 if target else 0
                found[Target(number >> 32, how=way_of(number & INGRESS))] = count
        return found
