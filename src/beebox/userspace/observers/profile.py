"""What packets cost: instructions executed, per packet and per source line."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from beebox.obj.model import ProgramSpec
from beebox.userspace.observation import Observation
from beebox.userspace.replay import Batch


@dataclass(frozen=True, slots=True)
class CostlyPacket:
    """A packet among the most expensive: its number in the replay, from 0."""

    number: int
    insns: int
    verdict: str
    time_ns: int
    frame: bytes


@dataclass(frozen=True, slots=True)
class LineCost:
    """Instructions executed for one source line over all packets. ``line`` 0: no line info."""

    file: str
    line: int
    text: str
    insns: int
    executions: int


class Profile:
    """An observer of costs. ``shown`` packets are kept, the most expensive first.

    ``others`` belong to the programs that tail calls go on in.

    It reads the observation's records before anyone clears them: put it before such observers.
    """

    wants_frames = False

    def __init__(
        self, observation: Observation, others: Sequence[Observation] = (), *, shown: int = 5
    ) -> None:
        self._observation = observation
        self._all = [observation, *others]
        self._shown = shown
        self._slowest: list[CostlyPacket] = []
        self._seen = 0
        self.packets = 0
        self.insns = 0

    def see(self, batch: Batch) -> None:
        """Take the costs of one batch."""
        costs = self._observation.costs
        numbers = np.flatnonzero(batch.ran)
        self.packets += len(numbers)
        self.insns += int(costs.sum(dtype=np.uint64))
        if len(costs) == len(numbers) and len(costs):
            most = np.argsort(costs, kind="stable")[::-1][: self._shown]
            self._slowest += [
                self._packet(batch, int(numbers[at]), int(costs[at])) for at in most.tolist()
            ]
            self._slowest.sort(key=lambda each: (-each.insns, each.number))
            del self._slowest[self._shown :]
        self._seen += len(batch.frames)

    def _packet(self, batch: Batch, at: int, insns: int) -> CostlyPacket:
        return CostlyPacket(
            number=self._seen + at,
            insns=insns,
            verdict=batch.hook.verdict_name(int(batch.retvals[at])),
            time_ns=int(batch.frames.times_ns[at]),
            frame=batch.frames.packet(at),
        )

    @property
    def slowest(self) -> tuple[CostlyPacket, ...]:
        """The packets with the most instructions, most first."""
        return tuple(self._slowest)

    def lines(self) -> list[LineCost]:
        """The cost of every source line that ran, in the order of files and lines."""
        found: dict[tuple[str, int], LineCost] = {}
        for spec, pc, count in self._executed():
            place = spec.line_at(pc)
            file, number, text = (place.file, place.line, place.text) if place else ("", 0, "")
            before = found.get((file, number), LineCost(file, number, text, 0, 0))
            found[file, number] = LineCost(
                file,
                number,
                before.text or text,
                before.insns + count,
                max(before.executions, count),
            )
        return [found[key] for key in sorted(found)]

    def _executed(self) -> Iterator[tuple[ProgramSpec, int, int]]:
        for seen in self._all:
            for pc, count in enumerate(seen.executed().tolist()):
                if count:
                    yield seen.verified.spec, pc, count
