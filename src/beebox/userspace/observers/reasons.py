"""Why packets got their verdicts: the source lines that decided, counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from beebox.obj.model import LineInfo, ProgramSpec
from beebox.userspace.observation import Observation
from beebox.userspace.replay import Batch, counts_of
from beebox.vm.observe import place_of


@dataclass(frozen=True, slots=True)
class Reason:
    """``packets`` that one place gave one verdict.

    ``pc`` is the instruction of ``program`` that set the last result of a subprogram where the
    program calls any whose result it uses, else the one that set the verdict; -1 where nothing of
    the kind was executed. ``line`` is its source, if the object has line info.
    """

    verdict: str
    program: str
    pc: int
    line: LineInfo | None
    packets: int


class Reasons:
    """An observer that counts packets by verdict and by the place that decided it.

    It takes the observation's records: nobody else may clear them while it is in use. ``programs``
    are those that runs may go on in by tail calls, by mark.
    """

    wants_frames = False

    def __init__(self, observation: Observation, programs: Mapping[int, ProgramSpec]) -> None:
        self._observation = observation
        self._programs = programs
        self._counts: Counter[tuple[str, int]] = Counter()

    def see(self, batch: Batch) -> None:
        """Count one batch."""
        seen = self._observation
        deciding = np.where(seen.reason_places > 0, seen.reason_places, seen.verdict_places)
        retvals = batch.retvals[batch.ran]
        seen.clear()
        if len(retvals) != len(deciding):
            return
        for retval in counts_of(retvals):
            verdict = batch.hook.verdict_name(retval)
            for place, count in counts_of(deciding[retvals == retval]).items():
                self._counts[verdict, place] += count

    def found(self) -> list[Reason]:
        """Every reason, the verdict with most packets first, places by their packets."""
        found: dict[tuple[str, str, str, int], Reason] = {}
        for (verdict, place), packets in sorted(self._counts.items()):
            mark, pc = place_of(place)
            spec = self._programs.get(mark)
            line = spec.line_at(pc) if spec is not None else None
            name = spec.name if spec is not None else ""
            key = (verdict, name, line.file, line.line) if line else (verdict, name, "", pc)
            before = found.get(key, Reason(verdict, name, pc, line, 0))
            found[key] = replace(before, packets=before.packets + packets)
        of_verdict: Counter[str] = Counter()
        for each in found.values():
            of_verdict[each.verdict] += each.packets
        return sorted(
            found.values(),
            key=lambda each: (-of_verdict[each.verdict], each.verdict, -each.packets),
        )
