"""What watches a replay and writes: the frames that passed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import numpy.typing as npt

from beebox.userspace.captures.packets import Capture
from beebox.userspace.captures.writing import CaptureWriter, frames_of
from beebox.userspace.replay import Batch


class Passed:
    """Writes the frames that passed, as the program left them, the verdict as their comment."""

    wants_frames = True

    def __init__(self, writer: CaptureWriter) -> None:
        self._writer = writer

    def see(self, batch: Batch) -> None:
        """One batch."""
        chosen = batch.passing()
        if chosen.any():
            names, which = batch.named()
            self._writer.write(left_of(batch, chosen), names, which[chosen])


def left_of(batch: Batch, chosen: npt.NDArray[np.bool_]) -> Capture:
    """The chosen frames as the program left them."""
    frames = batch.frames.select(chosen)
    if batch.after is None or isinstance(batch.after, Capture):
        return frames
    return frames_of(frames, [batch.after[index] for index in np.flatnonzero(chosen).tolist()])


def limited(blocks: Iterable[Capture], count: int | None) -> Iterator[Capture]:
    """The first ``count`` packets, or all; nothing is read behind them."""
    left = count
    for block in blocks:
        if left is None:
            yield block
            continue
        yield block.part(0, left)
        left -= len(block)
        if left <= 0:
            return
