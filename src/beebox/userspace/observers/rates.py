"""Packets over time, per verdict: a fixed number of bins that widen as a capture goes on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
import numpy.typing as npt

from beebox.userspace.replay import Batch, counts_of

BINS: Final = 128
FIRST_WIDTH_NS: Final = 1_000_000


class Rates:
    """An observer that counts packets by verdict in up to :data:`BINS` equal spans of time.

    The first packet's time is the origin; packets from before it count in the first bin. A span
    doubles, and neighbours join, whenever a packet lies past the last one.
    """

    wants_frames = False

    def __init__(self) -> None:
        self.origin_ns: int | None = None
        self.width_ns = FIRST_WIDTH_NS
        self._counts: dict[str, npt.NDArray[np.int64]] = {}
        self._last = 0

    def see(self, batch: Batch) -> None:
        """Count one batch."""
        times = batch.frames.times_ns[batch.ran]
        if not len(times):
            return
        if self.origin_ns is None:
            self.origin_ns = int(times[0])
        since = np.where(times > self.origin_ns, times - np.uint64(self.origin_ns), np.uint64(0))
        self._widen(int(since.max()))
        bins = (since // np.uint64(self.width_ns)).astype(np.int64)
        self._last = max(self._last, int(bins.max()))
        retvals = batch.retvals[batch.ran]
        for value in counts_of(retvals):
            name = batch.hook.verdict_name(value)
            row = self._counts.setdefault(name, np.zeros(BINS, np.int64))
            row += np.bincount(bins[retvals == value], minlength=BINS)

    def _widen(self, furthest_ns: int) -> None:
        while furthest_ns // self.width_ns >= BINS:
            self.width_ns *= 2
            self._last //= 2
            for name, row in self._counts.items():
                joined = np.zeros(BINS, np.int64)
                joined[: BINS // 2] = row.reshape(-1, 2).sum(axis=1)
                self._counts[name] = joined

    @property
    def seconds(self) -> float:
        """From the first packet's time to the end of the last bin in use."""
        return (self._last + 1) * self.width_ns / 1e9

    def per_second(self) -> Mapping[str, npt.NDArray[np.float64]]:
        """Packets per second by verdict, one number per bin in use."""
        scale = 1e9 / self.width_ns
        used = self._last + 1
        return {name: row[:used].astype(np.float64) * scale for name, row in self._counts.items()}

    def rows(self) -> list[tuple[float, dict[str, int]]]:
        """Each bin with packets, in order: its start in seconds since 1970, counts by verdict."""
        origin_ns = self.origin_ns or 0
        found = []
        for at in range(self._last + 1):
            counts = {name: int(row[at]) for name, row in self._counts.items() if row[at]}
            if counts:
                found.append(((origin_ns + at * self.width_ns) / 1e9, counts))
        return found
