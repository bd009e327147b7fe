"""What watches a replay and writes: the frames that passed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

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
            self._writer.write(left_frames(batch).select(chosen), names, which[chosen])


def left_frames(batch: Batch) -> Capture:
    """The frames as the program left them."""
    match batch.after:
        case None:
            return batch.frames
        case Capture() as left:
            return left
        case changed:
            return frames_of(batch.frames, changed)


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
