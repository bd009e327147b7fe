"""Recording an exploration: its paths, what was known before each step, and why.

A :class:`Recorder` is an observer. Values are kept once, with the values that they were computed
from; what a long exploration does beyond the limits is counted, not kept.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypeAlias

from beebox.obj.model import ProgramSpec
from beebox.verifier.path import Path
from beebox.verifier.reports.history import change
from beebox.verifier.reports.notation import Ids, reg_text
from beebox.verifier.result import RegKind, Report
from beebox.verifier.states.state import SPILL, UNWRITTEN, Frame, Slot, State
from beebox.verifier.states.value import Reg

MAX_STEPS: Final = 20_000
MAX_VISITS: Final = 200
"""Steps kept in all, and of one instruction; each of them has a state of a few hundred bytes."""

_MAX_VALUES: Final = 100_000
_NONE: Final = -1
_SHOWN: Final = str.maketrans({UNWRITTEN: "?", SPILL: "r", "q": "f"})

StackRow: TypeAlias = tuple[int, str, int]
"""``(offset from R10, kinds of bytes, value or -1)``."""


@dataclass(frozen=True, slots=True)
class Value:
    """A value as the kernel's log has it and in words, made at ``pc`` (-1: before the program).

    ``sources`` are the numbers of the values that it was computed from.
    """

    text: str
    words: str
    pc: int
    sources: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Step:
    """What was known before the instruction at ``pc``: value numbers of R0-R10, the stack.

    ``frames`` are the call chain's functions, outermost first.
    """

    pc: int
    regs: tuple[int, ...]
    stack: tuple[StackRow, ...]
    frames: tuple[int, ...]
    held: tuple[str, ...]


class PathRecord:
    """One path: where it was put aside, its steps' numbers, and how it ended."""

    __slots__ = ("begin", "end", "end_pc", "insns", "origin", "steps")

    def __init__(self, begin: int, origin: int) -> None:
        self.begin = begin
        self.origin = origin  # the pc that it was put aside at; -1 for the first
        self.steps: list[int] = []
        self.insns = 0
        self.end = "open"  # exit, pruned, refused
        self.end_pc = begin


class Recorder:
    """The observer. After the verification, :meth:`finish` tells it the verdict."""

    def __init__(
        self, spec: ProgramSpec, *, max_steps: int = MAX_STEPS, max_visits: int = MAX_VISITS
    ) -> None:
        self.spec = spec
        self.visits = [0] * len(spec.slots)
        self.values: list[Value] = []
        self.steps: list[Step] = []
        self.paths: list[PathRecord] = []
        self.report: Report | None = None
        self.forgotten = 0  # steps beyond the limits
        self._max_steps = max_steps
        self._max_visits = max_visits
        self._ids = Ids()
        self._numbers: dict[Reg, int] = {}
        self._origins: dict[int, tuple[State, int]] = {}

    # ---- the observer

    def entered(self, path: Path, state: State) -> None:  # noqa: ARG002 -- the protocol's
        """A path is begun or taken up again."""
        _, origin = self._origins.pop(id(state), (state, _NONE))
        self.paths.append(PathRecord(state.pc, origin))

    def pushed(self, path: Path, other: State) -> None:
        """Another path is put aside."""
        self._origins[id(other)] = (other, path.pc)  # kept, so that no other has its id

    def arrive(self, path: Path, pc: int) -> None:
        """The path is about to execute ``pc``."""
        self.visits[pc] += 1
        record = self.paths[-1]
        record.insns += 1
        record.end_pc = pc
        full = len(self.steps) >= self._max_steps or len(self.values) >= _MAX_VALUES
        if full or self.visits[pc] > self._max_visits:
            self.forgotten += 1
            return
        record.steps.append(len(self.steps))
        self.steps.append(self._step(path, pc))

    def pruned(self, path: Path, pc: int) -> None:  # noqa: ARG002 -- the protocol's
        """The path ends here: an earlier state covers it."""
        self.paths[-1].end = "pruned"

    def ended(self, path: Path, pc: int) -> None:  # noqa: ARG002 -- the protocol's
        """The path reached the program's end."""
        self.paths[-1].end = "exit"

    def finish(self, report: Report) -> None:
        """The verdict is known."""
        self.report = report
        if not report.accepted and self.paths:
            self.paths[-1].end = "refused"

    # ---- what is kept

    def _step(self, path: Path, pc: int) -> Step:
        state = path.state
        frame, depth = state.frames[-1], len(state.frames) - 1
        regs = tuple(_NONE if reg is None else self._value(reg, depth) for reg in frame.regs)
        held = tuple(f"{each.kind.name.lower()} of insn {each.pc}" for each in state.refs)
        return Step(
            pc, regs, self._stack(frame, depth), tuple(each.function for each in state.frames), held
        )

    def _stack(self, frame: Frame, depth: int) -> tuple[StackRow, ...]:
        rows: list[StackRow] = []
        for index, slot in enumerate(frame.stack):
            if slot is not None and slot.kinds != UNWRITTEN * 8:
                rows.append((-8 * (index + 1), _kinds(slot), self._spilled(slot, depth)))
        return tuple(rows)

    def _spilled(self, slot: Slot, depth: int) -> int:
        return self._value(slot.reg, depth) if slot.reg is not None else _NONE

    def _value(self, reg: Reg, depth: int) -> int:
        """The number of a value, and of those that it was computed from."""
        found = self._numbers.get(reg)
        if found is not None:
            return found
        work = [reg]
        while work:
            value = work[-1]
            missing = [each for each in (value.p1, value.p2) if each is not None]
            missing = [each for each in missing if each not in self._numbers]
            if missing and len(self._numbers) + len(work) < _MAX_VALUES:
                work += missing
                continue
            work.pop()
            if value not in self._numbers:
                self._keep(value, depth)
        return self._numbers[reg]

    def _keep(self, value: Reg, depth: int) -> None:
        sources = (value.p1, value.p2)
        known = [self._numbers[each] for each in sources if each in self._numbers]
        self._numbers[value] = len(self.values)
        if value.kind is RegKind.SCALAR and value.scalar.is_const and not known:
            words = f"the number {value.scalar!r}"
        else:
            words = change(self.spec, value)
        text = reg_text(self.spec, value, self._ids, depth)
        self.values.append(Value(text, words, value.pc, tuple(dict.fromkeys(known))))


def _kinds(slot: Slot) -> str:
    """The 8 bytes as the kernel's log has them: the highest first."""
    return slot.kinds[::-1].translate(_SHOWN)
