"""Replay: one program over the packets of a capture, a block at a time, deterministically.

Time is the capture's, the CPU is 0, random numbers are seeded: equal inputs give equal verdicts
and maps. The native loop runs in batches without the GIL; behind each batch the observers see what
came out, and memory holds no more than a block, whatever the capture's size.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from beebox.hooks.packet import PacketHook
from beebox.userspace.captures.packets import Capture
from beebox.userspace.engines import Left, Packets
from beebox.userspace.flows import clamp
from beebox.userspace.program import UserspaceProgram
from beebox.userspace.records import Records

CHUNK_PACKETS: Final = {"jit": 1 << 16, "interpreter": 1 << 8}  # about 10 ms each
_SMALL: Final = 1 << 16
_LEFT_BYTES: Final = 16 << 20  # of room for frames as a program leaves them, at once
_WALL_PACKETS: Final = 1 << 10  # between two looks at the clock

Clock: TypeAlias = Literal["capture", "wall"] | int
"""The packets' times, the machine's monotonic clock, or one time in nanoseconds for all."""


@dataclass(frozen=True, eq=False)
class Batch:
    """Some packets behind a program.

    ``frames`` are the Ethernet frames that it was given, ``ran`` says which of them reached it,
    ``retvals`` what it returned (0 where it did not run). ``after`` holds the frames as it left
    them, for observers that want them. ``targets`` has each packet's redirection, as
    ``redirects.RECORD``, of programs that may ask for one; ``keys`` each packet's flow keys, as
    ``flows.KEYS``, of flow dissectors.
    """

    hook: PacketHook
    frames: Capture
    ran: npt.NDArray[np.bool_]
    retvals: npt.NDArray[np.uint32]
    after: Sequence[bytes] | Capture | None = None
    targets: npt.NDArray[np.void] | None = None
    keys: npt.NDArray[np.void] | None = None

    def after_of(self, index: int) -> bytes:
        """One frame as the program left it."""
        match self.after:
            case None:
                return self.frames.packet(index)
            case Capture() as same:
                return same.packet(index)
            case changed:
                return changed[index]

    def named(self) -> tuple[list[str], npt.NDArray[np.uint32]]:
        """The verdicts that came up, and which of them each packet got."""
        values = sorted(counts_of(self.retvals))
        places = np.searchsorted(np.array(values, dtype=np.uint32), self.retvals)
        return [self.hook.verdict_name(value) for value in values], places.astype(np.uint32)

    def passing(self) -> npt.NDArray[np.bool_]:
        """Which frames reached the program and passed."""
        chosen = np.zeros(len(self.retvals), dtype=np.bool_)
        for value in counts_of(self.retvals):
            if self.hook.passes(value):
                chosen |= self.retvals == value
        return chosen & self.ran


class Observer(Protocol):
    """Sees every batch, in order."""

    @property
    def wants_frames(self) -> bool:
        """Whether it reads the frames as the program left them, which takes longer."""
        ...

    def see(self, batch: Batch) -> None:
        """One batch."""
        ...


@dataclass(frozen=True, eq=False)
class Replay:
    """What a replay gave. ``verdicts`` counts by name, in the order of the return values.

    Frames that are too short never reach the program: ``refused`` counts them. ``bytes`` are those
    captured of all packets. Times are the program's alone. ``retvals`` holds one return value per
    packet (0 where it did not run) and ``ran`` which ran; both are empty unless asked for.
    """

    packets: int
    bytes: int
    refused: int
    verdicts: Mapping[str, int]
    retvals: npt.NDArray[np.uint32]
    ran: npt.NDArray[np.bool_]
    elapsed_ns: int
    engine: str

    @property
    def ns_per_packet(self) -> float:
        """Nanoseconds per packet that reached the program."""
        return self.elapsed_ns / max(1, self.packets - self.refused)

    @property
    def seconds(self) -> float:
        """The program's time."""
        return self.elapsed_ns / 1e9


def replay(
    program: UserspaceProgram,
    packets: Capture | Iterable[Capture],
    *,
    observers: Sequence[Observer] = (),
    clock: Clock = "capture",
    per_packet: bool | None = None,
    progress: Callable[[int], None] | None = None,
) -> Replay:
    """Run ``program`` over a capture in memory or over blocks of one.

    ``per_packet`` keeps each packet's return value, by default for a capture in memory only;
    ``progress`` is told the packets done. Raises :exc:`CaptureError` from the blocks' source.
    """
    keep = isinstance(packets, Capture) if per_packet is None else per_packet
    run = Run(program, observers=observers, clock=clock)
    retvals = [np.zeros(0, dtype=np.uint32)]
    ran = [np.zeros(0, dtype=np.bool_)]
    for block in [packets] if isinstance(packets, Capture) else packets:
        for batch in run.over(block):
            if keep:
                retvals.append(batch.retvals)
                ran.append(batch.ran)
            if progress is not None:
                progress(run.packets)
    return run.result(np.concatenate(retvals), np.concatenate(ran))


def counts_of(values: npt.NDArray[Any]) -> dict[int, int]:
    """How often each value is there; fast where all are small, as return values are."""
    if len(values) and int(values.max()) < _SMALL:
        counts = np.bincount(values.astype(np.intp), minlength=1)
        return {value: int(counts[value]) for value in np.flatnonzero(counts).tolist()}
    found, counts = np.unique(values, return_counts=True)
    return dict(zip(found.tolist(), counts.tolist(), strict=True))


class Run:
    """A replay under way: blocks go in, batches come out, sums stay."""

    def __init__(
        self,
        program: UserspaceProgram,
        *,
        observers: Sequence[Observer] = (),
        clock: Clock = "capture",
        frames: bool = False,
    ) -> None:
        self.packets = 0
        self.hook = program.hook
        self._program = program
        self._observers = observers
        self._clock = clock
        wanted = frames or any(observer.wants_frames for observer in observers)
        self._keeps = wanted and not program.reads_only
        self._bytes = 0
        self._refused = 0
        self._elapsed_ns = 0
        self._counts: Counter[int] = Counter()

    def over(self, block: Capture) -> Iterator[Batch]:
        """Each batch of the block's packets, once the program and the observers are through."""
        frames = block.ethernet()
        self._bytes += block.total_bytes
        step = CHUNK_PACKETS[self._program.engine_name]
        if self._clock == "wall":
            step = min(step, _WALL_PACKETS)
        if self._keeps and len(frames):
            slot = self._program.slot_bytes(min(int(frames.lengths.max()), self.hook.max_bytes))
            step = min(step, max(1, _LEFT_BYTES // slot)) if slot is not None else step
        for start in range(0, len(frames), step):
            batch = self._batch(frames.part(start, start + step))
            for observer in self._observers:
                observer.see(batch)
            yield batch

    def result(self, retvals: npt.NDArray[np.uint32], ran: npt.NDArray[np.bool_]) -> Replay:
        """The sums so far."""
        verdicts: dict[str, int] = {}
        for value in sorted(self._counts):
            name = self.hook.verdict_name(value)
            verdicts[name] = verdicts.get(name, 0) + self._counts[value]
        return Replay(
            packets=self.packets,
            bytes=self._bytes,
            refused=self._refused,
            verdicts=verdicts,
            retvals=retvals,
            ran=ran,
            elapsed_ns=self._elapsed_ns,
            engine=self._program.engine_name,
        )

    def _batch(self, frames: Capture) -> Batch:
        ran = frames.lengths >= self.hook.min_bytes
        chosen = self._timed(frames.select(ran))
        records = self._program.records(len(chosen))
        lengths = np.minimum(chosen.lengths, self.hook.max_bytes).astype(np.uint32)
        after: Sequence[bytes] | Capture | None = frames
        slot = None
        if self._keeps and len(chosen) and int(chosen.lengths.max()) <= self.hook.max_bytes:
            slot = self._program.slot_bytes(int(lengths.max()))
        if self._keeps and slot is None:
            results, changed, took = self._one_by_one(chosen, records)
            rest = iter(changed)
            after = [next(rest) if done else b"" for done in ran.tolist()]
        else:
            left = self._program.room_for(len(chosen), slot) if slot is not None else None
            packets = Packets(chosen.data, chosen.offsets, lengths, chosen.times_ns)
            results, took = self._program.run_packets(packets, records, left)
            if left is not None:
                after = _left_of(frames, ran, left)
        self.packets += len(frames)
        self._refused += len(frames) - len(chosen)
        self._elapsed_ns += took
        self._counts.update(counts_of(results))
        retvals = results
        if len(results) < len(frames):
            retvals = np.zeros(len(frames), dtype=np.uint32)
            retvals[ran] = results
        if records.keys is not None:
            clamp(records.keys, np.minimum(chosen.lengths, self.hook.max_bytes).astype(np.uint32))
        whole_records = records.spread(ran)
        return Batch(
            self.hook, frames, ran, retvals, after, whole_records.targets, whole_records.keys
        )

    def _timed(self, frames: Capture) -> Capture:
        if self._clock == "capture":
            return frames
        now = time.monotonic_ns() if self._clock == "wall" else self._clock
        return replace(frames, times_ns=np.full(len(frames), now, dtype=np.uint64))

    def _one_by_one(
        self, frames: Capture, records: Records
    ) -> tuple[npt.NDArray[np.uint32], Sequence[bytes], int]:
        """Return values and what is left of each frame, for programs that change packets."""
        results = np.zeros(len(frames), dtype=np.uint32)
        left = []
        start = time.perf_counter_ns()
        for index, time_ns in enumerate(frames.times_ns.tolist()):
            frame, row = frames.packet(index), records.row(index)
            most = self.hook.max_bytes
            results[index], after = self._program.run_at(frame[:most], time_ns, row)
            left.append(after + frame[most:])
        return results, left, time.perf_counter_ns() - start


def _left_of(frames: Capture, ran: npt.NDArray[np.bool_], left: Left) -> Capture:
    """The frames as they were left in slots; those that did not run are empty."""
    offsets = np.zeros(len(frames), dtype=np.uint64)
    lengths = np.zeros(len(frames), dtype=np.uint32)
    offsets[ran], lengths[ran] = left.offsets, left.lengths
    grown = lengths.astype(np.int64) - frames.lengths
    wires = np.maximum(frames.wire_lengths + grown, lengths).astype(np.uint32)
    return replace(frames, data=left.data, offsets=offsets, lengths=lengths, wire_lengths=wires)
