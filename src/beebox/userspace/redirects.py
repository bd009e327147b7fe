"""Where packets were sent: one record per packet of a batch, and counts of cloned packets.

Native code writes both; offsets are the runtime block's and ``source/skb_net.py``'s.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from beebox.vm.memory import Buffer

INGRESS: Final = 1
NEIGH: Final = 0x1_0000
PEER: Final = 0x2_0000

CLONE_ENTRIES: Final = 256
_CLONES: Final = struct.Struct("<QQ")


@dataclass(frozen=True, slots=True, order=True)
class Target:
    """A device, by the index that the program gave, or an element of a map.

    ``ifindex`` is 0 for an element that names no device. ``how`` is "", "ingress", "peer",
    "neighbour" or "broadcast".
    """

    ifindex: int
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

    def clear(self) -> None:
        """Start again."""
        self._buffer.view[:] = bytes(len(self._buffer))
