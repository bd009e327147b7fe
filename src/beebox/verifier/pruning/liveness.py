"""Which stack slots may still be read: a finished checkpoint's other slots do not matter.

As in Linux 6.18 the reads and writes are those that the exploration has seen, kept by call chain
and instruction: slots that may be read there, slots that surely are written there as a whole. When
a path ends, or a called function, what it did counts, and live slots follow as in any data flow
analysis. A checkpoint is asked about only when all its paths have ended, so all they do was seen.

The slots of all frames of a chain are one number: bit ``64 * frame + slot``.
"""

from __future__ import annotations

from typing import Final

from beebox.isa.instruction import Instruction, LoadPacket
from beebox.verifier.shape.cfg import sources_of, successors
from beebox.verifier.shape.early import is_tail_call
from beebox.verifier.states.state import Frame, State

SLOTS: Final = 64  # of a frame
_FRAME: Final = (1 << SLOTS) - 1


def slots_of(frame: int, low: int, high: int) -> int:
    """The slots that the bytes ``[low, high)`` below R10 of the frame lie in; none, if empty."""
    if low >= high:
        return 0
    first, last = -high // 8, (-low - 1) // 8
    return ((2 << last - first) - 1) << first + SLOTS * frame


class _Flow:
    """The control flow of one function: where each instruction goes, places counted from its start.

    ``steps[place]`` are the one or two successors, none for exits, behind which nothing is live.
    ``ends`` are the places where the function may end in its middle: a tail call that succeeds, a
    classic load from outside of the packet. ``returns``: those that others jump back to.
    """

    __slots__ = ("_sources", "ends", "length", "returns", "start", "steps")

    def __init__(self, start: int, steps: list[tuple[int, ...]], ends: frozenset[int]) -> None:
        self.start = start
        self.length = len(steps)
        self.steps = steps
        self.ends = ends
        self._sources: list[list[int]] = []
        self.returns = frozenset(
            target for place, targets in enumerate(steps) for target in targets if target <= place
        )

    def sources(self, place: int) -> list[int]:
        """The places that lead to this one."""
        self._sources = self._sources or sources_of(self.steps)
        return self._sources[place]


class _Chain:
    """One function in one chain of calls: what its instructions do to the stack.

    ``reads`` and ``writes`` are what was seen, by pc; ``pending`` the places where that is not yet
    in ``gen`` and ``kill``, which :attr:`live` and :attr:`written` follow from.
    """

    __slots__ = (
        "depth",
        "flow",
        "gen",
        "kill",
        "live",
        "outer",
        "pending",
        "reads",
        "site",
        "stale",
        "writes",
        "written",
    )

    def __init__(self, flow: _Flow, depth: int, outer: _Chain | None, site: int) -> None:
        self.flow = flow
        self.depth = depth
        self.outer = outer
        self.site = site  # the call in ``outer`` that made it
        self.reads: dict[int, int] = {}
        self.writes: dict[int, int] = {}
        self.pending: set[int] = set()
        self.stale = False
        self.gen = [0] * flow.length
        self.kill = [0] * flow.length
        self.live = [0] * flow.length
        self.written = 0  # from the function's start on, whatever way it takes

    def read(self, pc: int, slots: int) -> None:
        """The instruction may read these slots."""
        known = self.reads.get(pc, 0)
        if slots & ~known:
            self.reads[pc] = known | slots
            self.pending.add(pc)

    def write(self, pc: int, slots: int) -> None:
        """The instruction wrote these slots this time, and no others."""
        known = self.writes.get(pc)
        if known is None:
            self.writes[pc] = slots
            if slots:
                self.pending.add(pc)
        elif known & ~slots:
            self.writes[pc] = known & slots
            self.pending.add(pc)

    def settle(self) -> None:
        """What was seen counts from now on."""
        start, gen, kill = self.flow.start, self.gen, self.kill
        for pc in self.pending:
            place = pc - start
            gen[place] = self.reads.get(pc, 0)
            kill[place] = self.writes.get(pc, 0)
        self.pending.clear()
        self.stale = True

    def solve(self) -> None:
        """Live slots, backward until nothing changes.

        From nothing on: then each instruction's only become more, and this ends.
        """
        self.stale = False
        flow, gen, kill = self.flow, self.gen, self.kill
        steps, returns = flow.steps, flow.returns
        live = self.live = [0] * flow.length
        again: list[int] = []
        for place in range(flow.length - 1, -1, -1):
            after = 0
            for target in steps[place]:
                after |= live[target]
            before = (after & ~kill[place]) | gen[place]
            if before:
                live[place] = before
                if place in returns:
                    again += flow.sources(place)
        while again:
            place = again.pop()
            after = 0
            for target in steps[place]:
                after |= live[target]
            before = (after & ~kill[place]) | gen[place]
            if before != live[place]:
                live[place] = before
                again += flow.sources(place)

    def solve_written(self) -> None:
        """The slots that every way through the function writes."""
        flow, kill = self.flow, self.kill
        steps, ends, returns = flow.steps, flow.ends, flow.returns
        surely = [0] * flow.length
        again = list(range(flow.length))
        lowest = flow.length
        while again:
            place = again.pop()
            lowest = min(lowest, place)
            if place in ends or not steps[place]:
                continue
            before = surely[steps[place][0]] & surely[steps[place][-1]] | kill[place]
            if before != surely[place]:
                surely[place] = before
                if returns:
                    again += [source for source in flow.sources(place) if source >= lowest]
        self.written = surely[0]


class Liveness:
    """The stack accesses of one verification, and the answers that follow from them.

    ``now`` and ``writing`` are for the quick way of what happens most: the same access once more.
    """

    __slots__ = ("_chains", "_flows", "_slots", "_starts", "now", "writing")

    def __init__(self, starts: tuple[int, ...], slots: tuple[Instruction | None, ...]) -> None:
        self._starts = starts
        self._slots = slots
        self._flows: dict[int, _Flow] = {}
        self._chains: dict[tuple[int, ...], _Chain] = {}
        self.now: _Chain | None = None  # that of the path followed now
        self.writing = 0  # by the instruction that is executed now

    def leave(self) -> None:
        """The path goes on in another frame, or another path is taken up."""
        self.now = None

    def read(self, state: State, pc: int, slots: int) -> None:
        """The instruction may read these slots."""
        now = self.now or self._enter(state)
        if slots & ~now.reads.get(pc, 0):
            now.read(pc, slots)

    def executed(self, state: State, pc: int) -> None:
        """An instruction that can write the stack was executed.

        It wrote the slots ``writing`` as a whole, and no others.
        """
        slots, self.writing = self.writing, 0
        now = self.now or self._enter(state)
        if now.writes.get(pc) != slots:
            now.write(pc, slots)

    def settle(self, state: State) -> None:
        """The path ends, or its innermost function does: what it did counts from now on."""
        self.now = None
        self.writing = 0
        for depth in range(len(state.frames) - 1, -1, -1):
            chain = self._chains.get(self._key(state.frames, depth))
            if chain is None or not chain.pending:
                continue
            chain.settle()
            if chain.outer is not None:
                chain.solve()
                chain.solve_written()
                outside = (1 << SLOTS * depth) - 1
                chain.outer.read(chain.site, chain.live[0] & outside)
                chain.outer.write(chain.site, chain.written & outside)

    def live(self, frames: list[Frame], pc: int) -> list[int]:
        """By frame, the slots that may be read from ``pc`` on; bit 0 is the slot below R10."""
        found = 0
        inner = len(frames) - 1
        masks = []
        for depth in range(inner, -1, -1):
            chain = self._chains.get(self._key(frames, depth))
            if chain is not None:
                if chain.stale:
                    chain.solve()
                at = pc if depth == inner else frames[depth + 1].return_pc
                found |= chain.live[at - chain.flow.start]
            masks.append(found >> SLOTS * depth & _FRAME)
        masks.reverse()
        return masks

    def _key(self, frames: list[Frame], depth: int) -> tuple[int, ...]:
        calls = [frame.call_pc for frame in frames[1 : depth + 1]]
        return (*calls, -1 - self._starts[frames[depth].function])

    def _enter(self, state: State) -> _Chain:
        """The chain of calls that the path is in."""
        self.now = found = self._chain(state.frames, len(state.frames) - 1)
        return found

    def _chain(self, frames: list[Frame], depth: int) -> _Chain:
        key = self._key(frames, depth)
        found = self._chains.get(key)
        if found is None:
            outer = self._chain(frames, depth - 1) if depth else None
            site = frames[depth].call_pc if depth else 0
            flow = self._flow(frames[depth].function)
            found = self._chains[key] = _Chain(flow, depth, outer, site)
        return found

    def _flow(self, function: int) -> _Flow:
        found = self._flows.get(function)
        if found is None:
            start, end = (*self._starts, len(self._slots))[function : function + 2]
            inside = range(start, end)
            steps = [
                tuple(target - start for target in successors(self._slots, pc))
                if self._slots[pc] is not None
                else ()
                for pc in inside
            ]
            ends = frozenset(
                pc - start
                for pc in inside
                if is_tail_call(self._slots[pc]) or isinstance(self._slots[pc], LoadPacket)
            )
            found = self._flows[function] = _Flow(start, steps, ends)
        return found
