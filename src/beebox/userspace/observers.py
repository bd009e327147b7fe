"""What watches a replay: writes what passed, counts over time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Final

import numpy as np
import numpy.typing as npt

from beebox.userspace.captures.packets import Capture
from beebox.userspace.captures.writing import CaptureWriter, frames_of
from beebox.userspace.replay import Batch, counts_of

_MOST_STEPS: Final = 4096


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


class Rates:
    """Packets per step of the capture's time and verdict; a step is a second, or as many as needed.

    ``steps`` holds at most 4096 of them: where a capture goes on for longer, steps grow.
    """

    wants_frames = False

    def __init__(self) -> None:
        self.seconds = 1
        self.steps: dict[int, Counter[str]] = {}

    def see(self, batch: Batch) -> None:
        """One batch."""
        if not batch.ran.any():
            return
        step_ns = np.uint64(self.seconds * 1_000_000_000)
        at = batch.frames.times_ns[batch.ran] // step_ns
        first = at.min()
        values, which = batch.named()
        pairs = (at - first) * np.uint64(len(values)) + which[batch.ran]
        for pair, count in counts_of(pairs).items():
            step, value = divmod(pair, len(values))
            self.steps.setdefault(int(first) + step, Counter())[values[value]] += count
        while len(self.steps) > _MOST_STEPS:
            self._coarsen()

    def _coarsen(self) -> None:
        self.seconds *= 2
        old, self.steps = self.steps, {}
        for step, row in old.items():
            self.steps.setdefault(step // 2, Counter()).update(row)

    def rows(self) -> list[tuple[float, dict[str, int]]]:
        """Each step with packets, in order: its start in seconds since 1970, counts by verdict."""
        return [(float(step * self.seconds), dict(self.steps[step])) for step in sorted(self.steps)]


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
