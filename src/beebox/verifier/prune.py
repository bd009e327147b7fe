"""Pruning: a path ends where an earlier, finished one has proven everything it could do.

A checkpoint covers a state when every value that later decisions relied on is at least as tight in
the state. When to remember a state and when to forget it follows Linux's heuristics, so that both
verifiers process the same instructions and give up on the same programs.
"""

from __future__ import annotations

from typing import Final

from beebox.tables.limits import MAX_STATES
from beebox.verifier.cfg import Shape
from beebox.verifier.findings import Refusal
from beebox.verifier.loops import Loops
from beebox.verifier.result import RegKind
from beebox.verifier.scalar import ANY, subset
from beebox.verifier.state import (
    MISC,
    SPILLED,
    UNWRITTEN,
    Checkpoint,
    Reg,
    Slot,
    State,
    mark_precise,
)

_ANYTHING: Final = UNWRITTEN + MISC
_EXACT: Final = (RegKind.MEM, RegKind.FUNC)  # their ``range`` is a size or a place


class Pruner:
    """The checkpoints of one verification. ``jumps`` and ``processed`` are the explorer's."""

    __slots__ = (
        "_last_jumps",
        "_last_processed",
        "_live",
        "_live_numbers",
        "_loops",
        "_seen",
        "live_now",
        "peak",
        "total",
    )

    def __init__(self, shape: Shape, loops: Loops) -> None:
        self._loops = loops
        self._live = shape.live
        self._live_numbers = tuple(
            tuple(number for number in range(10) if bits >> number & 1) for bits in shape.live
        )
        self._seen: dict[int, list[Checkpoint]] = {}
        self._last_jumps = 0
        self._last_processed = 0
        self.total = 0
        self.live_now = 0
        self.peak = 0

    def arrive(self, state: State, pc: int, *, jumps: int, processed: int, serial: int) -> bool:
        """Whether the path can end at this prune point. Refuses a loop without progress."""
        in_budget, calls_back = pc in self._loops.may_gotos, pc in self._loops.calls_back
        forced = in_budget or calls_back
        add = forced or (jumps - self._last_jumps >= 2 and processed - self._last_processed >= 8)
        checkpoints = self._seen.setdefault(pc, [])
        fingerprint = self._fingerprint(state, pc) if checkpoints or add else 0
        for index in range(len(checkpoints) - 1, -1, -1):
            checkpoint = checkpoints[index]
            if checkpoint.branches:
                if calls_back and _covers(checkpoint, state, every_number=True):
                    return self._cover_later(checkpoint, state, pc)
                other_round = checkpoint.rounds != state.rounds
                if in_budget and other_round and _covers(checkpoint, state, every_number=True):
                    return self._cover_later(checkpoint, state, pc)
                if (
                    not other_round
                    and not calls_back
                    and checkpoint.called_back == state.called_back
                    and checkpoint.fingerprint == fingerprint
                    and self._same(checkpoint, state, pc)
                ):
                    raise Refusal(
                        "infinite-loop", pc,
                        "a path comes back here with nothing changed: the loop never ends",
                        kernel=f"infinite loop detected at insn {pc}",
                    )  # fmt: skip
                if (
                    not forced
                    and jumps - self._last_jumps < 20
                    and processed - self._last_processed < 100
                ):
                    add = False
            elif self._loops.any and self._unsettled(checkpoint):
                if _covers(checkpoint, state, every_number=True):
                    return self._cover_later(checkpoint, state, pc)
            elif _covers(checkpoint, state):
                checkpoint.hits += 1
                _inherit_precision(checkpoint, state)
                return True
            if add:
                checkpoint.misses += 1
                patience = 64 if forced and checkpoint.branches else 3
                if checkpoint.misses > checkpoint.hits * patience + patience:
                    checkpoints.pop(index)
                    self.live_now -= 1
        if add:
            self._last_jumps, self._last_processed = jumps, processed
            self._remember(state, pc, serial, checkpoints, fingerprint)
        return False

    def previous_round(self, state: State, pc: int, *, own: bool = False) -> Checkpoint | None:
        """The newest unfinished checkpoint at ``pc``, in the same call.

        That which the path comes from counts only with ``own``.
        """
        for checkpoint in reversed(self._seen.get(pc, ())):
            if checkpoint.branches and (own or checkpoint is not state.parent):
                pairs = zip(checkpoint.frames, state.frames, strict=False)
                if len(checkpoint.frames) == len(state.frames) and all(
                    old.return_pc == new.return_pc for old, new in pairs
                ):
                    return checkpoint
        return None

    def finished(self, checkpoint: Checkpoint) -> None:
        """All paths from the checkpoint have ended."""
        covered = self._loops.leave(checkpoint)
        changed = bool(covered)
        while changed:  # each round adds to finite sets
            changed = False
            for old, state in covered:
                changed |= _inherit_precision(old, state)

    def _cover_later(self, checkpoint: Checkpoint, state: State, pc: int) -> bool:
        """The path ends, though what it relies on is not all known yet."""
        checkpoint.hits += 1
        _inherit_precision(checkpoint, state)
        visit = self._loops.visit_of(checkpoint, pc)
        if visit is not None:
            visit.covered.append((checkpoint, state))
        return True

    def _unsettled(self, checkpoint: Checkpoint) -> bool:
        visit = self._loops.visit_of(checkpoint, checkpoint.pc)
        return visit is not None and bool(visit.covered)

    def _fingerprint(self, state: State, pc: int) -> int:
        """A hash of the live registers' numbers: states that differ in it are not the same."""
        regs, live = state.frames[-1].regs, self._live_numbers[pc]
        return hash(tuple([reg.scalar.uid for n in live if (reg := regs[n]) is not None]))

    def _remember(
        self,
        state: State,
        pc: int,
        serial: int,
        checkpoints: list[Checkpoint],
        fingerprint: int,
    ) -> None:
        frames = [frame.copy() for frame in state.frames]
        for index, frame in enumerate(frames):
            inner = index == len(frames) - 1
            live = self._live[pc if inner else state.frames[index + 1].return_pc]
            for number in range(10):
                if not live >> number & 1:
                    frame.regs[number] = None
            frame.regs[10] = None  # the same in every state
        checkpoint = Checkpoint(
            frames,
            state.parent,
            pc,
            serial,
            fingerprint,
            refs=state.refs,
            rounds=state.rounds,
            called_back=state.called_back,
        )
        checkpoints.append(checkpoint)
        state.parent = checkpoint
        self._loops.enter(checkpoint)
        self.total += 1
        self.live_now += 1
        self.peak = max(self.peak, self.live_now)
        if len(checkpoints) > MAX_STATES * 1024:
            raise Refusal("too-complex", pc, f"{len(checkpoints)} different states meet here")

    def _same(self, checkpoint: Checkpoint, state: State, pc: int) -> bool:
        """Whether nothing at all differs from an unfinished checkpoint."""
        if len(checkpoint.frames) != len(state.frames) or checkpoint.refs != state.refs:
            return False
        for index, (old, new) in enumerate(zip(checkpoint.frames, state.frames, strict=True)):
            if old.return_pc != new.return_pc:
                return False
            inner = index == len(state.frames) - 1
            live = self._live[pc if inner else state.frames[index + 1].return_pc]
            for number in range(10):
                if live >> number & 1 and not _equal(old.regs[number], new.regs[number]):
                    return False
            if len(old.stack) != len(new.stack):
                return False
            for was, now in zip(old.stack, new.stack, strict=True):
                if was is now:
                    continue
                if was is None or now is None or was.kinds != now.kinds:
                    return False
                if not _equal(was.reg, now.reg):
                    return False
        return True


def _equal(old: Reg | None, new: Reg | None) -> bool:
    if old is new:
        return True
    if old is None or new is None or old.kind is not new.kind or old.scalar is not new.scalar:
        return False
    return (old.off, old.range, old.map, old.frame, old.nullable, old.ref) == (
        new.off, new.range, new.map, new.frame, new.nullable, new.ref,
    )  # fmt: skip


def _covers(checkpoint: Checkpoint, state: State, *, every_number: bool = False) -> bool:
    """Whether all that ``state`` can do was explored from ``checkpoint``.

    ``every_number``: also those match that no decision relied on, so far.
    """
    if len(checkpoint.frames) != len(state.frames):
        return False
    if checkpoint.frames[-1].return_pc != state.frames[-1].return_pc:
        return False
    number, precise = RegKind.SCALAR, checkpoint.precise
    pairs = _Pairing(precise, every_number=every_number)
    if (checkpoint.refs or state.refs) and not pairs.same_references(checkpoint, state):
        return False
    # The innermost frame first: there most states differ.
    for old, new in zip(reversed(checkpoint.frames), reversed(state.frames), strict=True):
        if old.return_pc != new.return_pc or old.rounds > new.rounds:
            return False
        old_regs, new_regs = old.regs, new.regs
        for was, now in zip(old_regs, new_regs, strict=True):
            if was is None:
                continue
            if was.kind is number and not every_number and was not in precise:
                if now is None or now.kind is not number:
                    return False
            elif not pairs.covers(was, now):
                return False
        new_stack = new.stack
        for index, slot in enumerate(old.stack):
            if slot is None:
                continue
            there = new_stack[index] if index < len(new_stack) else None
            if not _covers_slot(pairs, slot, there):
                return False
    return True


def _covers_slot(pairs: _Pairing, old: Slot, new: Slot | None) -> bool:
    """Bytes that held just any number, or were never written, are covered whatever is there now."""
    if not old.kinds.strip(_ANYTHING):
        return True
    if new is None:
        return False
    if _spilled_number(old) and (_spilled_number(new) or not new.kinds.strip(_ANYTHING)):
        return old.reg is not None and pairs.covers(old.reg, new.reg or unbounded())
    for was, now in zip(old.kinds, new.kinds, strict=True):
        if was not in _ANYTHING and was != now:
            return False
    return old.reg is None or pairs.covers(old.reg, new.reg)


def _spilled_number(slot: Slot) -> bool:
    return slot.reg is not None and slot.kinds == SPILLED and slot.reg.kind is RegKind.SCALAR


def unbounded() -> Reg:
    """What a load of bytes of which nothing is known would give: linked with no register."""
    return Reg(RegKind.SCALAR, ANY, 0, -1)


class _Pairing:
    """Which old value stands for which new one, within one comparison.

    Two registers that shared one value when the checkpoint was made, or were a constant apart, were
    refined together from there on; where that mattered (the value is precise), the new ones must
    share one value or be as far apart, too.
    """

    __slots__ = ("_every_number", "_ids", "_roots", "precise")

    def __init__(self, precise: set[Reg], *, every_number: bool) -> None:
        self.precise = precise
        self._every_number = every_number
        self._ids: dict[int, int] = {}
        self._roots: dict[int, tuple[int, int]] = {}

    def covers(self, old: Reg, new: Reg | None) -> bool:
        """Whether ``old`` includes ``new``."""
        if new is None or old.kind is not new.kind:
            return False
        if old.kind is RegKind.SCALAR:
            if not self._every_number and old not in self.precise:
                return True
            if not old.scalar.is_const and not self._same_distance(old, new):
                return False
            return subset(new.scalar, old.scalar)
        if old is new and not old.id and not old.ref:
            return True
        if old.off != new.off or old.map != new.map or old.frame != new.frame:
            return False
        if old.nullable != new.nullable or old.range > new.range:
            return False
        if old.range != new.range and (old.range < 0 or old.kind in _EXACT):
            return False
        if not self._same_id(old.id, new.id) or not self._same_id(old.ref, new.ref):
            return False
        return subset(new.scalar, old.scalar)

    def _same_distance(self, old: Reg, new: Reg) -> bool:
        """Whether ``new`` is as far from its relatives as ``old`` is from those seen before."""
        root, now = old.id or old.serial, (new.id or new.serial, new.off - old.off)
        was = self._roots.get(root)
        if was is None:
            self._roots[root] = now
            return True
        return was == now and now[0] != 0

    def same_references(self, old: Checkpoint, new: State) -> bool:
        """Whether both hold the same references, by their place in the order of acquisition."""
        if len(old.refs) != len(new.refs):
            return False
        pairs = zip(old.refs, new.refs, strict=True)
        return all(self._same_id(was, now) for (was, _), (now, _) in pairs)

    def _same_id(self, old: int, new: int) -> bool:
        if not old and not new:
            return True
        return bool(old and new) and self._ids.setdefault(old, new) == new


def _inherit_precision(checkpoint: Checkpoint, state: State) -> bool:
    """What the checkpoint's future relied on, this path's past now has to guarantee.

    True when that was not known before.
    """
    precise = checkpoint.precise
    learned = False
    if not precise:
        return learned
    for old, new in zip(checkpoint.frames, state.frames, strict=True):
        for number in range(10):
            was, now = old.regs[number], new.regs[number]
            if was is not None and now is not None and was in precise and now.serial:
                learned |= mark_precise(now, state.parent)
        for index, slot in enumerate(old.stack):
            if slot is not None and slot.reg in precise and index < len(new.stack):
                there = new.stack[index]
                if there is not None and there.reg is not None and there.reg.serial:
                    learned |= mark_precise(there.reg, state.parent)
    return learned
