"""What a walk fills: a block's columns, one element per packet."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from beebox.userspace.captures import native
from beebox.userspace.captures.native import Status
from beebox.userspace.captures.packets import Capture, Interface
from beebox.userspace.captures.streams import Window

_MOST_PACKETS: Final = 1 << 18  # in one block


class Columns:
    """Room for the packets that a window may hold, at ``least`` bytes each in the file."""

    def __init__(self, window: Window, *, least: int, links: bool = False) -> None:
        room = min(_MOST_PACKETS, window.rest // least + 1)
        self.count = 0
        self._window = window
        self.data = window.data  # a refill takes another
        self.offsets = np.empty(room, dtype=np.uint64)
        self.lengths = np.empty(room, dtype=np.uint32)
        self.wire_lengths = np.empty(room, dtype=np.uint32)
        self.times = np.empty(room, dtype=np.uint64)
        self.links: npt.NDArray[np.uint32] | None = None
        if links:
            self.links = np.empty(room, dtype=np.uint32)

    def walk(self, name: str, **words: int) -> Status:
        """Take the packets that the window holds whole; why it stopped at the window's place."""
        window = self._window
        arrays = {} if self.links is None else {"INTERFACES": self.links}
        status, after = native.call(
            name,
            window.data,
            AT=window.at,
            END=window.end,
            COUNT=self.count,
            CAPACITY=len(self.offsets),
            OFFSETS=self.offsets,
            LENGTHS=self.lengths,
            WIRES=self.wire_lengths,
            TIMES=self.times,
            **arrays,
            **words,
        )
        window.at, self.count = after["AT"], after["COUNT"]
        return Status(status)

    def capture(
        self, interfaces: tuple[Interface, ...], times_ns: npt.NDArray[np.uint64], first: int
    ) -> Capture:
        """The packets found."""
        count = self.count
        return Capture(
            file=self._window.file,
            data=self.data,
            offsets=self.offsets[:count],
            lengths=self.lengths[:count],
            wire_lengths=self.wire_lengths[:count],
            times_ns=times_ns,
            interfaces=interfaces,
            links=None if self.links is None else self.links[:count],
            first=first,
        )
