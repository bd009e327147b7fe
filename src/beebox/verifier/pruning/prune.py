"""Pruning: a path ends where an earlier, finished one has proven everything it could do.

A checkpoint covers a state when every value that later decisions relied on is at least as tight in
the state. When to remember a state and when to forget it follows Linux's heuristics, so that both
verifiers process the same instructions and give up on the same programs.
"""

from __future__ import annotations

from typing import Final

from beebox.tables.limits import MAX_STATES
from beebox.verifier.findings import Refusal
from beebox.verifier.profiles.speculation import Speculation
from beebox.verifier.pruning.compaction import LONG, forget_between
from beebox.verifier.pruning.covers import covers, equal, same_id
from beebox.verifier.pruning.liveness import Liveness
from beebox.verifier.pruning.loops import Loops
from beebox.verifier.shape.cfg import Shape
from beebox.verifier.states.state import (
    IRQ,
    ITER,
    ITERATES,
    Checkpoint,
    State,
    mark_precise,
)
from beebox.verifier.states.value import SCALAR, STACK

_KEPT: Final = ITER + IRQ
"""Kinds of slots that are not noted when they are read."""


class Pruner:
    """The checkpoints of one verification. ``jumps`` and ``processed`` are the explorer's."""

    __slots__ = (
        "_allow_uninit_stack",
        "_last_jumps",
        "_last_processed",
        "_live",
        "_liveness",
        "_loops",
        "_seen",
        "_speculation",
        "covering",
        "live_now",
        "peak",
        "total",
    )

    def __init__(
        self,
        shape: Shape,
        loops: Loops,
        liveness: Liveness,
        *,
        allow_uninit_stack: bool = True,
        speculation: Speculation | None = None,
    ) -> None:
        self._loops = loops
        self._liveness = liveness
        self._allow_uninit_stack = allow_uninit_stack
        self._speculation = speculation
        self._live = shape.live
        self._seen: dict[int, list[Checkpoint]] = {}
        self._last_jumps = 0
        self._last_processed = 0
        self.covering: Checkpoint | None = None  # what covered the path that was pruned last
        self.total = 0
        self.live_now = 0
        self.peak = 0

    def arrive(self, state: State, pc: int, *, jumps: int, processed: int, serial: int) -> bool:
        """Whether the path can end at this prune point. Refuses a loop without progress."""
        in_budget = calls_back = iterates = False
        if self._loops.forces:
            in_budget, calls_back = pc in self._loops.may_gotos, pc in self._loops.calls_back
            iterates = pc in self._loops.iterates
        forced = in_budget or calls_back or iterates
        add = forced or (jumps - self._last_jumps >= 2 and processed - self._last_processed >= 8)
        checkpoints = self._seen.setdefault(self._place(state, pc), [])
        fingerprint: int | None = None
        for index in range(len(checkpoints) - 1, -1, -1):
            checkpoint = checkpoints[index]
            if checkpoint.branches:
                if calls_back and self._covers(checkpoint, state, every_number=True):
                    return self._cover_later(checkpoint, state, pc)
                if (
                    iterates
                    and self._covers(checkpoint, state, every_number=True)
                    and _is_active(state)
                ):
                    return self._cover_later(checkpoint, state, pc)
                other_round = checkpoint.rounds != state.rounds
                if in_budget and other_round and self._covers(checkpoint, state, every_number=True):
                    return self._cover_later(checkpoint, state, pc)
                if (
                    not other_round
                    and not calls_back
                    and not iterates
                    and checkpoint.called_back == state.called_back
                    and checkpoint.frames[-1].deferred in (0, state.frames[-1].deferred)
                ):
                    endless = not _changed(checkpoint, state)
                    if endless:
                        if fingerprint is None:
                            fingerprint = self._fingerprint(state)
                        endless = checkpoint.fingerprint == fingerprint
                        if not endless:
                            checkpoint.failed_at = _first_change(checkpoint, state)
                else:
                    endless = False
                if endless and self._same(checkpoint, state, pc):
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
                if self._covers(checkpoint, state, every_number=True):
                    return self._cover_later(checkpoint, state, pc)
            elif (
                not _differs(checkpoint, state)
                and self._cleaned(checkpoint, state)
                and self._covers(checkpoint, state)
            ):
                checkpoint.hits += 1
                self.covering = checkpoint
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
            if fingerprint is None:
                fingerprint = self._fingerprint(state)
            self._remember(state, pc, serial, checkpoints, fingerprint)
        return False

    def forget(self) -> None:
        """Another function is explored: no state of another one covers those of this one."""
        self._seen.clear()
        self.live_now = 0

    def _place(self, state: State, pc: int) -> int:
        """Where the checkpoints are that a state at ``pc`` meets.

        As in Linux those of a function are kept by where it was called, in as many buckets as the
        program has instructions: states of other calls count only where buckets coincide.
        """
        frames = state.frames
        if len(frames) == 1:
            return pc
        buckets = len(self._live)
        return pc + ((pc ^ frames[-1].call_pc) % buckets + 1) * buckets

    def _covers(self, checkpoint: Checkpoint, state: State, *, every_number: bool = False) -> bool:
        if checkpoint.speculative and not state.speculative:
            return False
        speculation = self._speculation
        return covers(
            checkpoint,
            state,
            every_number=every_number,
            same_numbers=speculation is not None and speculation.explore_alu_limits,
            allow_uninit_stack=self._allow_uninit_stack,
        )

    def previous_round(self, state: State, pc: int, *, own: bool = False) -> Checkpoint | None:
        """The newest unfinished checkpoint at ``pc``, in the same call.

        That which the path comes from counts only with ``own``.
        """
        for checkpoint in reversed(self._seen.get(self._place(state, pc), ())):
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
        self.covering = checkpoint
        _inherit_precision(checkpoint, state)
        visit = self._loops.visit_of(checkpoint, pc)
        if visit is not None:
            visit.covered.append((checkpoint, state))
        return True

    def _cleaned(self, checkpoint: Checkpoint, state: State) -> bool:
        """Forget the slots of a finished checkpoint that nothing reads behind it.

        False where the state is not in the same call.
        """
        old, new = checkpoint.frames, state.frames
        if len(old) != len(new):
            return False
        if checkpoint.cleaned:
            return True
        if any(was.return_pc != now.return_pc for was, now in zip(old, new, strict=True)):
            return False
        checkpoint.cleaned = True
        if any(frame.stack for frame in old):
            for frame, live in zip(old, self._liveness.live(old, checkpoint.pc), strict=True):
                stack = frame.stack
                for index, slot in enumerate(stack):
                    if slot is not None and not live >> index & 1 and slot.kinds[0] not in _KEPT:
                        stack[index] = None
        return True

    def kept(self) -> dict[int, int]:
        """How many states are kept, by pc: where they are most, most of the work was."""
        return {pc: len(checkpoints) for pc, checkpoints in self._seen.items()}

    def _unsettled(self, checkpoint: Checkpoint) -> bool:
        visit = self._loops.visit_of(checkpoint, checkpoint.pc)
        return visit is not None and bool(visit.covered)

    @staticmethod
    def _fingerprint(state: State) -> int:
        """A hash of the registers' numbers, dead ones too: where it differs, something changed."""
        return hash(tuple([-1 if reg is None else reg.scalar.uid for reg in state.frames[-1].regs]))

    def _remember(
        self,
        state: State,
        pc: int,
        serial: int,
        checkpoints: list[Checkpoint],
        fingerprint: int,
    ) -> None:
        if serial > LONG and state.parent is not None:
            forget_between(state.frames, state.parent.serial)
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
            guards=state.guards,
            speculative=state.speculative,
            sleepable=state.sleepable,
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
        ids: dict[int, int] = {}
        if len(checkpoint.frames) != len(state.frames) or len(checkpoint.refs) != len(state.refs):
            return False
        for held, holds in zip(checkpoint.refs, state.refs, strict=True):
            if held.kind is not holds.kind or held.holder != holds.holder:
                return False
            if not same_id(held.id, holds.id, ids):
                return False
        if checkpoint.guards != state.guards or checkpoint.sleepable != state.sleepable:
            return False
        if checkpoint.speculative and not state.speculative:
            return False
        for index, (old, new) in enumerate(zip(checkpoint.frames, state.frames, strict=True)):
            if old.return_pc != new.return_pc:
                return False
            inner = index == len(state.frames) - 1
            live = self._live[pc if inner else state.frames[index + 1].return_pc]
            for number in range(10):
                if live >> number & 1 and not equal(old.regs[number], new.regs[number], ids):
                    return False
            if len(old.stack) > len(new.stack):
                return False
            # As in Linux: what was used of the stack since then makes no difference.
            for was, now in zip(old.stack, new.stack, strict=False):
                if was is now:
                    continue
                if was is None or now is None or was.kinds != now.kinds:
                    return False
                if not equal(was.reg, now.reg, ids):
                    return False
        return True


def _is_active(state: State) -> bool:
    """Whether the iterator that R1 points to may still give elements."""
    pointer = state.frames[-1].regs[1]
    if pointer is None or pointer.kind is not STACK:
        return False
    stack, index = state.frames[pointer.frame].stack, (-pointer.off - 1) // 8
    slot = stack[index] if 0 <= index < len(stack) else None
    return slot is not None and slot.reg is not None and slot.reg.off == ITERATES


def _changed(checkpoint: Checkpoint, state: State) -> bool:
    """Whether the register that had changed last time has changed now."""
    number = checkpoint.failed_at
    if number < 0:
        return False
    was, now = checkpoint.frames[-1].regs[number], state.frames[-1].regs[number]
    return was is not None and now is not None and was.scalar is not now.scalar


def _first_change(checkpoint: Checkpoint, state: State) -> int:
    """The first live register whose number has changed, -1 for none."""
    old, new = checkpoint.frames[-1].regs, state.frames[-1].regs
    for number in range(10):
        was, now = old[number], new[number]
        if was is not None and now is not None and was.scalar is not now.scalar:
            return number
    return -1


def _differs(checkpoint: Checkpoint, state: State) -> bool:
    """Whether the register at which the last comparison failed makes this one fail, too.

    Mostly it is the counter of a loop, another constant in each round.
    """
    number = checkpoint.failed_at
    if number < 0:
        return False
    was, now = checkpoint.frames[-1].regs[number], state.frames[-1].regs[number]
    if was is None or was.kind is not SCALAR or was not in checkpoint.precise:
        return False
    if now is None or now.kind is not SCALAR:
        return True
    return was.scalar.is_const and now.scalar is not was.scalar


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
