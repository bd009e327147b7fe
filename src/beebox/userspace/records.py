"""What runs leave beside their verdicts: a row per packet, in arrays that native code fills."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from beebox.userspace.flows import KEYS
from beebox.userspace.redirects import RECORD


@dataclass(frozen=True, eq=False, slots=True)
class Records:
    """Redirections and flow keys of some runs.

    ``targets`` (``redirects.RECORD``) are of programs that may redirect, ``keys``
    (``flows.KEYS``) of flow dissectors; None for others.
    """

    targets: npt.NDArray[np.void] | None = None
    keys: npt.NDArray[np.void] | None = None

    @classmethod
    def of(cls, count: int, *, targets: bool, keys: bool) -> Records:
        """Room for so many packets."""
        return cls(
            np.zeros(count, dtype=RECORD) if targets else None,
            np.zeros(count, dtype=KEYS) if keys else None,
        )

    def row(self, index: int) -> Records:
        """One packet's."""
        place = slice(index, index + 1)
        return Records(
            self.targets[place] if self.targets is not None else None,
            self.keys[place] if self.keys is not None else None,
        )

    def spread(self, ran: npt.NDArray[np.bool_]) -> Records:
        """With rows of zeros for packets that did not run."""
        return Records(_spread(self.targets, ran), _spread(self.keys, ran))


def _spread(
    rows: npt.NDArray[np.void] | None, ran: npt.NDArray[np.bool_]
) -> npt.NDArray[np.void] | None:
    if rows is None or len(rows) == len(ran):
        return rows
    whole = np.zeros(len(ran), dtype=rows.dtype)
    whole[ran] = rows
    return whole
