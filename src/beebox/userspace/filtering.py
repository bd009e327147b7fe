"""A filter expression over packets: compiled to BPF, verified, run natively like any program."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import Self

import numpy as np
import numpy.typing as npt

from beebox.lib.filter.code import PROGRAM, compile_filter
from beebox.userspace.captures.packets import Capture
from beebox.userspace.engines import Packets
from beebox.userspace.kernel import UserspaceKernel


class PacketFilter:
    """Which packets match an expression; a context manager. Raises :exc:`FilterError`."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._live = UserspaceKernel().load(compile_filter(text))
        self._program = self._live.programs[PROGRAM]

    def matches(self, frames: Capture) -> npt.NDArray[np.bool_]:
        """One truth value per Ethernet frame."""
        if not len(frames):
            return np.zeros(0, dtype=np.bool_)
        lengths = np.ascontiguousarray(frames.lengths)
        wire = frames.wire_lengths.astype(np.uint64)  # where the program expects the time
        results, _ = self._program.run_packets(Packets(frames.data, frames.offsets, lengths, wire))
        matching: npt.NDArray[np.bool_] = results != 0
        return matching

    def over(self, blocks: Iterable[Capture]) -> Iterator[Capture]:
        """The matching packets of each block, as Ethernet frames."""
        for block in blocks:
            frames = block.ethernet()
            yield frames.select(self.matches(frames))

    def close(self) -> None:
        """Unload the program."""
        self._live.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
