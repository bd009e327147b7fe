"""Loops that something else ends: ``may_goto``, repeated callbacks, open-coded iterators.

A loop converges when a round's state is covered by an earlier round's that is still explored. For
that, numbers that changed between two rounds and that no decision relied on become unknown.
Decisions found later in the loop may rely on more; what they relied on reaches the covered rounds
when the whole loop was explored. Until then states in the loop must match in every number.
"""

from __future__ import annotations

from beebox.isa.instruction import MayGoto
from beebox.obj.model import ProgramSpec
from beebox.verifier.helpers.callbacks import calls_back
from beebox.verifier.numbers.scalar import ANY
from beebox.verifier.path import Path
from beebox.verifier.result import RegKind
from beebox.verifier.shape.cfg import asks_iterator, successors
from beebox.verifier.states.state import Checkpoint, Slot, State
from beebox.verifier.states.value import PtrFlag, Reg


class Visit:
    """One stay of the exploration in a loop: its first checkpoint, the rounds covered early."""

    __slots__ = ("covered", "entry")

    def __init__(self) -> None:
        self.entry: Checkpoint | None = None
        self.covered: list[tuple[Checkpoint, State]] = []


class Loops:
    """The loops of a program with ``may_goto``, callbacks or iterators; of one without, nothing."""

    __slots__ = ("_component", "_visits", "calls_back", "forces", "iterates", "may_gotos")

    def __init__(self, spec: ProgramSpec) -> None:
        slots = spec.slots
        self.may_gotos = frozenset(pc for pc, insn in enumerate(slots) if isinstance(insn, MayGoto))
        self.calls_back = frozenset(pc for pc, insn in enumerate(slots) if calls_back(insn))
        self.iterates = frozenset(pc for pc, insn in enumerate(slots) if asks_iterator(insn))
        self.forces = bool(self.may_gotos or self.calls_back or self.iterates)
        self._component: dict[int, int] = {}
        if self.forces:
            own = {pc: pc for pc in self.calls_back}  # calling again and again is a loop, too
            self._component = own | components(spec)
        self._visits: dict[tuple[int, ...], Visit] = {}

    @property
    def any(self) -> bool:
        """Whether there are such loops."""
        return bool(self._component)

    def visit_of(self, state: State | Checkpoint, pc: int) -> Visit | None:
        """The stay in the outermost loop that ``state`` at ``pc`` is in."""
        if not self._component:
            return None
        frames = state.frames
        key: list[int] = []
        for index in range(len(frames)):
            inner = index == len(frames) - 1
            at = pc if inner else frames[index + 1].call_pc
            loop = self._component.get(at)
            if loop is not None:
                return self._visits.setdefault((*key, -1, loop), Visit())
            key.append(at)
        return None

    def enter(self, checkpoint: Checkpoint) -> None:
        """A new checkpoint: it may be the first one in its loop."""
        visit = self.visit_of(checkpoint, checkpoint.pc)
        if visit is not None and visit.entry is None:
            visit.entry = checkpoint

    def leave(self, checkpoint: Checkpoint) -> list[tuple[Checkpoint, State]]:
        """All paths from the checkpoint ended: the covered rounds that now can be settled."""
        visit = self.visit_of(checkpoint, checkpoint.pc)
        if visit is None or visit.entry is not checkpoint:
            return []
        covered, visit.covered, visit.entry = visit.covered, [], None
        return covered


def components(spec: ProgramSpec) -> dict[int, int]:
    """The loop that each pc is in, by the loop's number: strongly connected components."""
    slots = spec.slots
    order: dict[int, int] = {}
    low: dict[int, int] = {}
    stack: list[int] = []
    on_stack: set[int] = set()
    found: dict[int, int] = {}
    for root in range(len(slots)):
        if root in order or slots[root] is None:
            continue
        work = [(root, iter(successors(slots, root)))]
        order[root] = low[root] = len(order)
        stack.append(root)
        on_stack.add(root)
        while work:
            pc, targets = work[-1]
            for target in targets:
                if target not in order:
                    order[target] = low[target] = len(order)
                    stack.append(target)
                    on_stack.add(target)
                    work.append((target, iter(successors(slots, target))))
                    break
                if target in on_stack:
                    low[pc] = min(low[pc], order[target])
            else:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[pc])
                if low[pc] == order[pc]:
                    members = [stack.pop()]
                    while members[-1] != pc:
                        members.append(stack.pop())
                    on_stack.difference_update(members)
                    if len(members) > 1 or pc in successors(slots, pc):
                        found.update(dict.fromkeys(members, pc))
    return found


def widen(path: Path, old: Checkpoint, new: State) -> None:
    """Forget what differs between two rounds and that no decision relied on."""
    for was, now in zip(old.frames, new.frames, strict=True):
        for number in range(10):
            now.regs[number] = _widened(path, old, was.regs[number], now.regs[number])
        for index, slot in enumerate(was.stack):
            there = now.stack[index] if index < len(now.stack) else None
            if slot is not None and there is not None and slot.reg and there.reg:
                reg = _widened(path, old, slot.reg, there.reg)
                if reg is not None and reg is not there.reg:
                    reg.flags = PtrFlag.WIDENED
                    now.stack[index] = Slot(reg, there.kinds)


def _widened(path: Path, checkpoint: Checkpoint, old: Reg | None, new: Reg | None) -> Reg | None:
    if old is None or new is None or old.kind is not RegKind.SCALAR or new.kind is not old.kind:
        return new
    if old.scalar is new.scalar or old in checkpoint.precise:
        return new
    return path.number(ANY, new)
