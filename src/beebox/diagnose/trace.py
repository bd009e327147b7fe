"""The failing path: which branches it took, and what the registers held where it ended.

The verification is done once more and watched. It is deterministic, so it ends at the same finding.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Final, NamedTuple

from beebox.isa.instruction import JumpIf
from beebox.obj.model import ProgramSpec
from beebox.verifier.options import Options
from beebox.verifier.path import Path
from beebox.verifier.result import Finding, Report
from beebox.verifier.states.state import State
from beebox.verifier.states.value import Reg
from beebox.verifier.verify import verify

MOST_INSNS: Final = 200_000
"""Verifications that took more are not done again."""

_MOST_ROWS: Final = 12


class Branch(NamedTuple):
    """A conditional jump on the path: whether it jumped; ``open``: both sides were possible."""

    pc: int
    jump: bool
    open: bool


class _Node(NamedTuple):
    before: _Node | None
    branch: Branch


class Trace:
    """An observer. After the verification, it holds the path that was refused.

    ``watched``: for these pcs, :attr:`held` has the registers when the path last came there.
    """

    def __init__(self, spec: ProgramSpec, watched: Iterable[int] = ()) -> None:
        self.held: dict[int, tuple[Reg | None, ...]] = {}
        self.path: Path | None = None
        self._slots = spec.slots
        self._watched = frozenset(watched)
        self._node: _Node | None = None
        self._from: dict[int, tuple[State, _Node | None]] = {}
        self._pc = -1
        self._open = False

    def entered(self, path: Path, state: State) -> None:
        """A path is begun or taken up again."""
        self.path = path
        self._node = self._from.pop(id(state), (state, None))[1]
        self._pc = -1

    def arrive(self, path: Path, pc: int) -> None:
        """The path goes on to ``pc``."""
        if self._pc >= 0 and isinstance(insn := self._slots[self._pc], JumpIf) and insn.offset:
            branch = Branch(self._pc, pc != self._pc + 1, self._open)
            self._node = _Node(self._node, branch)
        self._pc, self._open = pc, False
        if pc in self._watched:
            self.held[pc] = tuple(path.regs)

    def pushed(self, path: Path, other: State) -> None:
        """Another path is put aside."""
        node, insn = self._node, self._slots[path.pc]
        if isinstance(insn, JumpIf) and insn.offset:
            node = _Node(node, Branch(path.pc, other.pc != path.pc + 1, open=True))
            self._open = True
        self._from[id(other)] = (other, node)

    def pruned(self, path: Path, pc: int) -> None:
        """The path ends here."""

    def ended(self, path: Path, pc: int) -> None:
        """The path reached the program's end."""

    @property
    def branches(self) -> tuple[Branch, ...]:
        """The conditional jumps of the path, in their order."""
        out: list[Branch] = []
        node = self._node
        while node is not None:
            out.append(node.branch)
            node = node.before
        return tuple(reversed(out))


def trace(report: Report, options: Options, watched: Iterable[int] = ()) -> Trace | None:
    """The path of a rejected program; None where verifying again would take too long."""
    if report.insns_processed > MOST_INSNS or not report.findings:
        return None
    found = Trace(report.spec, watched)
    again = verify(report.spec, options, observer=found)
    same = bool(again.findings) and _place(again.findings[0]) == _place(report.findings[0])
    return found if same and found.path is not None else None


def _place(finding: Finding) -> tuple[str, int]:
    return finding.code, finding.pc


def with_branches(spec: ProgramSpec, finding: Finding, branches: tuple[Branch, ...]) -> Finding:
    """The finding with the branches that its path took among the steps of its values.

    Only jumps that could go both ways; of a jump in a loop, the last time, with how often.
    """
    counts: dict[int, int] = {}
    last: dict[int, Branch] = {}
    for branch in branches:
        if branch.open:
            counts[branch.pc] = counts.get(branch.pc, 0) + 1
            last.pop(branch.pc, None)
            last[branch.pc] = branch
    told = {pc: text for pc, text in finding.path if pc in last}
    lines = {_line(spec, pc) for pc, _ in finding.path} - {None}
    rows: dict[int, str] = {}
    shown: dict[object, Branch] = {}
    for branch in last.values():  # of the jumps of one line, the last stands for the line
        shown[_line(spec, branch.pc) or branch.pc] = branch
    for branch in list(shown.values())[-_MOST_ROWS:]:
        text = _went(spec, branch)
        if not text:
            continue
        if counts[branch.pc] > 1:
            text += f", the {counts[branch.pc]}. time"
        if branch.pc in told:
            rows[branch.pc] = f"{told[branch.pc]}; {text}"
        elif _line(spec, branch.pc) not in lines or _line(spec, branch.pc) is None:
            rows[branch.pc] = text
    order = [branch.pc for branch in last.values()]
    steps = [(pc, rows.pop(pc, text)) for pc, text in finding.path]
    for pc, text in rows.items():
        after = [each for each in order[order.index(pc) + 1 :] if each in dict(steps)]
        at = next((i for i, (each, _) in enumerate(steps) if each in after), None)
        if at is None:
            at = next((i for i, (each, _) in enumerate(steps) if each > pc), len(steps))
        steps.insert(at, (pc, text))
    return replace(finding, path=tuple(steps))


def _line(spec: ProgramSpec, pc: int) -> tuple[str, int] | None:
    place = spec.line_at(pc)
    return (place.file, place.line) if place is not None and place.line else None


def _went(spec: ProgramSpec, branch: Branch) -> str:
    insn = spec.slots[branch.pc]
    target = branch.pc + 1 + (insn.offset if isinstance(insn, JumpIf) and branch.jump else 0)
    place, here = spec.line_at(target), spec.line_at(branch.pc)
    if place is None or not place.line or here is None:
        return f"{'jumps' if branch.jump else 'goes on'} to insn {target}"
    if place.line == here.line:
        return ""
    return f"goes on at line {place.line}"
