"""What watches a replay and judges: assertions on verdicts, differences between two programs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Self

import numpy as np
import numpy.typing as npt

from beebox.errors import InputError
from beebox.hooks.packet import PacketHook
from beebox.userspace.captures.packets import Capture
from beebox.userspace.captures.summary import summary, time_text
from beebox.userspace.captures.writing import CaptureWriter
from beebox.userspace.filtering import PacketFilter
from beebox.userspace.observers.passed import left_frames
from beebox.userspace.program import UserspaceProgram
from beebox.userspace.replay import Batch, Clock, Run

SHOWN: Final = 10
"""How many offending packets are kept; the others are counted."""


@dataclass(frozen=True, slots=True)
class Offender:
    """A packet that is not as it should be: its place, time, verdict(s) and content in one line."""

    file: str
    number: int  # in its file, from 1
    time_ns: int
    verdict: str
    summary: str

    @property
    def line(self) -> str:
        """All of it."""
        return f"#{self.number} {time_text(self.time_ns)} {self.verdict}: {self.summary}"


def _offender(frames: Capture, index: int, verdict: str) -> Offender:
    time_ns = int(frames.times_ns[index])
    packet = summary(frames.packet(index))
    return Offender(frames.file, frames.number(index), time_ns, verdict, packet)


class Assertion:
    """``EXPR => VERDICT``: every packet that matches must get this verdict; a context manager.

    Several verdicts are joined by ``|``. ``matched`` counts the packets that matched and ran,
    ``failed`` those of them with another verdict, of which ``offenders`` holds the first. Raises
    :exc:`FilterError` for the expression, :exc:`InputError` for an unknown verdict.
    """

    wants_frames = False

    def __init__(self, text: str, hook: PacketHook) -> None:
        expression, arrow, verdicts = text.rpartition("=>")
        names = [name.strip() for name in verdicts.split("|")]
        if not arrow or not all(names):
            raise InputError(f"--assert {text!r}: write EXPR => VERDICT, such as 'arp => PASS'")
        self.text = text
        self.matched = 0
        self.failed = 0
        self.offenders: list[Offender] = []
        self._wanted = frozenset(_verdict(name, hook, text) for name in names)
        self._filter = PacketFilter(expression)

    def see(self, batch: Batch) -> None:
        """One batch."""
        asked = self._filter.matches(batch.frames) & batch.ran
        names, which = batch.named()
        good = np.array([name in self._wanted for name in names], dtype=np.bool_)
        failing = asked & ~good[which]
        self.matched += int(asked.sum())
        self.failed += int(failing.sum())
        for index in np.flatnonzero(failing)[: SHOWN - len(self.offenders)].tolist():
            self.offenders.append(_offender(batch.frames, index, names[which[index]]))

    def close(self) -> None:
        """Unload the filter."""
        self._filter.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _verdict(name: str, hook: PacketHook, text: str) -> str:
    """A verdict's name as the hook has it, given by name or number."""
    known = list(dict.fromkeys(hook.verdicts.values())) or ["DROP", "KEEP"]
    if name.upper() in known:
        return name.upper()
    try:
        return hook.verdict_name(int(name, 0) & 0xFFFF_FFFF)
    except ValueError:
        listed = ", ".join(known)
        raise InputError(
            f"--assert {text!r}: no verdict {name!r} of {hook.name} programs (there are: {listed})"
        ) from None


class Difference:
    """Runs another program over the same frames, and finds those that it treats otherwise.

    A frame differs where the verdicts do, or where both pass it with other bytes. ``counts`` is
    by both verdicts' names; where these are equal, the bytes differ. What differs is written as it
    was captured, both verdicts as its comment.
    """

    def __init__(
        self,
        program: UserspaceProgram,
        other: UserspaceProgram,
        *,
        clock: Clock = "capture",
        writer: CaptureWriter | None = None,
    ) -> None:
        self.packets = 0
        self.counts: Counter[tuple[str, str]] = Counter()
        self.offenders: list[Offender] = []
        self.wants_frames = not (program.reads_only and other.reads_only)
        self._run = Run(other, clock=clock, frames=self.wants_frames)
        self._writer = writer

    def see(self, batch: Batch) -> None:
        """One batch."""
        start = 0
        for theirs in self._run.over(batch.frames):
            self._compare(_part(batch, start, start + len(theirs.retvals)), theirs)
            start += len(theirs.retvals)

    def _compare(self, ours: Batch, theirs: Batch) -> None:
        our_names, our_which = ours.named()
        their_names, their_which = theirs.named()
        common = np.array([[a == b for b in their_names] for a in our_names], dtype=np.bool_)
        differing = ~common[our_which, their_which] | (ours.ran != theirs.ran)
        if ours.hook.keeps_bytes:  # a socket filter: another length is kept
            differing |= ours.retvals != theirs.retvals
        if self.wants_frames:
            passing = ~differing & ours.passing() & theirs.passing()
            differing |= passing & left_frames(ours).differs(left_frames(theirs))
        found = np.flatnonzero(differing)
        if not len(found):
            return
        self.packets += len(found)
        width = len(their_names)
        pairs = our_which[found].astype(np.intp) * width + their_which[found]
        comments = []
        values, which = np.unique(pairs, return_inverse=True)
        for value, count in zip(values.tolist(), np.bincount(which).tolist(), strict=True):
            both = our_names[value // width], their_names[value % width]
            self.counts[both] += count
            comments.append(difference_text(*both))
        for at in range(min(len(found), SHOWN - len(self.offenders))):
            text = comments[which[at]]
            self.offenders.append(_offender(ours.frames, int(found[at]), text))
        if self._writer is not None:
            chosen = ours.frames.select(differing)
            self._writer.write(chosen, comments, which.astype(np.uint32))


def difference_text(ours: str, theirs: str) -> str:
    """Two verdicts, or what else differs."""
    return f"{ours} -> {theirs}" if ours != theirs else f"{ours}, other bytes"


def _part(batch: Batch, start: int, stop: int) -> Batch:
    if start == 0 and stop >= len(batch.retvals):
        return batch
    after: Sequence[bytes] | Capture | None = batch.after
    if isinstance(after, Capture):
        after = after.part(start, stop)
    elif after is not None:
        after = after[start:stop]
    ran: npt.NDArray[np.bool_] = batch.ran[start:stop]
    frames = batch.frames.part(start, stop)
    return Batch(batch.hook, frames, ran, batch.retvals[start:stop], after)
