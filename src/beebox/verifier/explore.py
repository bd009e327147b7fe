"""The exploration: every path of the program, depth first, the fall-through before the jump."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Final, assert_never

from beebox.isa.instruction import (
    AddrSpaceCast,
    Alu,
    Atomic,
    Call,
    CallKind,
    Exit,
    Jump,
    JumpIf,
    Load,
    LoadImm64,
    LoadPacket,
    MayGoto,
    Store,
    Swap,
)
from beebox.obj.model import ProgramSpec
from beebox.tables.limits import MAX_INSNS, MAX_JUMP_SEQUENCE
from beebox.verifier import arithmetic, comparison, entry, exits, immediates
from beebox.verifier.accesses import arena, legacy, memory, packet
from beebox.verifier.fields import deferred, exceptions, locks, lookup
from beebox.verifier.fields.exception_callback import callback
from beebox.verifier.findings import Refusal
from beebox.verifier.helpers import callbacks, calls
from beebox.verifier.kfuncs import call as kfuncs
from beebox.verifier.numbers import branch, transfer
from beebox.verifier.numbers.scalar import ANY, Scalar, const, has_grown, sweep
from beebox.verifier.observer import Observer, Several
from beebox.verifier.options import DEFAULT, Options, Profile
from beebox.verifier.path import Path
from beebox.verifier.profiles.cost import Meter
from beebox.verifier.profiles.speculation import Speculation
from beebox.verifier.pruning import loops
from beebox.verifier.pruning.prune import Pruner
from beebox.verifier.shape import depth, early
from beebox.verifier.shape.cfg import Shape, function_ranges, throws
from beebox.verifier.states.join import Join
from beebox.verifier.states.state import State
from beebox.verifier.subprograms.calls import Globals, enter, leave

_ENDED: Final = -1  # where a path goes on that ends with an instruction other than exit
_LOOKS_AT_CLOCK: Final = 0x3FF  # every how many instructions


def _nothing() -> None:
    """What a helper calls that calls no function of the program."""


class Exploration:
    """One verification. After :meth:`run` returned, the program is safe."""

    def __init__(
        self,
        spec: ProgramSpec,
        shape: Shape,
        options: Options = DEFAULT,
        *,
        prune: bool = True,
        observer: Observer | None = None,
    ) -> None:
        self.spec = spec
        self.shape = shape
        self.tail_calling = early.check_subprograms(spec, function_ranges(shape, len(spec.slots)))
        self.path = Path(spec, options, shape.starts)
        kfuncs.check_program(self.path)
        arena.check_program(self.path)
        lookup.check_program(self.path)
        self.globals = Globals(self.path, shape)
        global_starts = frozenset(shape.starts[index] for index in self.globals.functions)
        exceptions.check_linkage(spec, global_starts)
        by_kernel = callback(spec)
        if by_kernel is not None:
            self.path.exception_callback = shape.function_of(by_kernel)
            self.globals.called.add(self.path.exception_callback)
        self.join = Join(shape)
        if not options.bypass_spec:
            self.path.speculation = Speculation(self._push)
        immediates.check_all(self.path)
        self.pruner = Pruner(
            shape,
            loops.Loops(spec),
            self.path.liveness,
            allow_uninit_stack=self.path.allow_uninit_stack,
            speculation=self.path.speculation,
        )
        release = self.path.release
        self.limit = MAX_INSNS if release is None else min(MAX_INSNS, release.processed)
        if release is not None:
            release.check_program(spec, shape)
        self.processed = 0
        self._jumps = 0
        self._prune = prune
        self.meter: Meter | None = None
        if options.profile is Profile.STRICT:
            self.meter = Meter(spec, shape, frozenset(self.globals.functions), self.pruner)
            observer = self.meter if observer is None else Several((self.meter, observer))
        self._observer = observer
        self._work: list[State] = []

    def run(self) -> None:
        """Explore everything. Raises :exc:`Refusal`."""
        self._explore(entry.program(self.path))
        by_kernel = self.path.exception_callback
        if by_kernel > 0:
            exceptions.check_callback(self.path, self.globals.parameters(self.path, by_kernel))
        called, verified = self.globals.called, set[int]()
        while called - verified:
            for index in self.globals.functions:
                if index in called and index not in verified:
                    verified.add(index)
                    start = self.shape.starts[index]
                    self._explore(self.globals.start(self.path, index, start))
        put_off = frozenset(self.path.deferred)
        private = depth.private_stacks(self.spec, self.path.attach_type)
        depth.check(self.shape, self.stack_bytes(), self.tail_calling, put_off, private=private)
        exceptions.check_callbacks(self.spec, self.shape, self.path.callbacks)
        if self.meter is not None:
            self.meter.check(self.path.options.cost_limit)

    def _explore(self, first: State) -> None:
        """Every path from the first state of the program, or of a global function."""
        self.pruner.forget()
        self._work.append(first)
        while self._work:
            state = self._work.pop()
            self.path.enter(state)
            if self._observer is not None:
                self._observer.entered(self.path, state)
            try:
                self._follow(state)
            except Refusal as refusal:
                guard = self.path.speculation
                if guard is None or not guard.absorbs(self.path.state, self.path.pc, refusal):
                    raise
            self.path.liveness.settle(self.path.state)
            if self.path.options.deadline_ns is not None:  # what a path's end asks for may be long
                self._check_deadline(self.path.pc)
            checkpoint = self.path.state.parent
            while checkpoint is not None:
                checkpoint.branches -= 1
                if checkpoint.branches:
                    break
                self.pruner.finished(checkpoint)
                checkpoint = checkpoint.parent

    def _follow(self, state: State) -> None:
        """One path, to its end or to where it is pruned."""
        path, slots, prune_points = self.path, self.spec.slots, self.shape.prune
        join, pruner, observer = self.join, self.pruner, self._observer
        guard, limit = path.speculation, self.limit
        executed = not state.speculative
        liveness = path.liveness
        pc = state.pc
        while True:
            path.pc = pc
            self.processed += 1
            if self.processed > limit:
                raise Refusal(
                    "too-complex", pc, f"more than {limit} instructions were processed",
                    kernel=f"BPF program is too large. Processed {self.processed} insn",
                )  # fmt: skip
            if not self.processed & _LOOKS_AT_CLOCK:
                self._check_deadline(pc)
                if has_grown():
                    transfer.forget()
                    branch.forget()
                    sweep()
            if executed:
                join.arrive(pc, state)
            if observer is not None:
                observer.arrive(path, pc)
            if (
                self._prune
                and pc in prune_points
                and pruner.arrive(
                    state, pc, jumps=self._jumps, processed=self.processed, serial=path.serial
                )
            ):
                if observer is not None:
                    observer.pruned(path, pc)
                return
            if not executed and guard is not None and pc in guard.nospec:
                return
            insn = slots[pc]
            match insn:
                case Alu():
                    other = arithmetic.execute(path, insn)
                    if other is not None:
                        self._push(other)
                    pc += 1
                case Load():
                    memory.load(path, insn)
                    pc += 1
                case Store():
                    memory.store(path, insn)
                    chain = liveness.now
                    if chain is not None and chain.writes.get(pc) == liveness.writing:
                        liveness.writing = 0
                    else:
                        liveness.executed(path.state, pc)
                    if guard is not None and guard.ends(state, pc):
                        return
                    pc += 1
                case JumpIf():
                    pc = self._branch(insn, pc)
                case LoadImm64():
                    path.write(insn.dst, immediates.load(path, insn))
                    pc += 2
                case Call():
                    called, pc = pc, self._call(insn, pc)
                    if guard is not None and guard.ends(state, called):
                        return
                    if pc == _ENDED:
                        if observer is not None:
                            observer.ended(path, called)
                        return
                case Jump():
                    self._jumps += 1
                    pc += 1 + insn.offset
                case Exit():
                    self._jumps += 1
                    if len(state.frames) == 1:
                        exits.finish(path)
                        if observer is not None:
                            observer.ended(path, pc)
                        return
                    pc = leave(path, pruner)
                case Swap():
                    arithmetic.swap(path, insn)
                    pc += 1
                case Atomic():
                    memory.atomic(path, insn)
                    liveness.executed(path.state, pc)
                    if guard is not None and guard.ends(state, pc):
                        return
                    pc += 1
                case LoadPacket():
                    is_set = path.regs[0] is not None
                    legacy.load(path, insn)
                    pc = self._may_end(pc, const(0), is_set=is_set)
                case MayGoto():
                    pc = self._may_goto(insn, pc)
                case AddrSpaceCast():
                    arena.cast(path, insn)
                    pc += 1
                case None:
                    raise Refusal("jump-range", pc, "control reaches the middle of an instruction")
                case _:
                    assert_never(insn)

    def _branch(self, insn: JumpIf, pc: int) -> int:
        self._jumps += 1
        jump, other = comparison.decide(self.path, insn)
        target = pc + 1 + insn.offset
        guard, state = self.path.speculation, self.path.state
        if other is None:
            if guard is not None:
                never = pc + 1 if jump else target
                guard.mispredicted(state, insn, never, self.path.number)
            if not state.speculative:
                self.join.edge(pc, jump=jump)
            return target if jump else pc + 1
        if not state.speculative:
            self.join.edge(pc, jump=False)
            self.join.edge(pc, jump=True)
        self._push(other)
        return pc + 1

    def _may_goto(self, insn: MayGoto, pc: int) -> int:
        """The way out first; the next round of the loop later, in a wider state."""
        self._jumps += 1
        if not self.path.state.speculative:
            self.join.edge(pc, jump=False)
            self.join.edge(pc, jump=True)
        other = self.path.state.copy(pc + 1)
        other.rounds += 1
        before = self.pruner.previous_round(self.path.state, pc)
        if before is not None:
            loops.widen(self.path, before, other)
        self._push(other)
        return pc + 1 + insn.offset

    def _push(self, other: State) -> None:
        """Explore ``other``, too, after the path followed now."""
        if other.parent is not None:
            other.parent.branches += 1
        if self._observer is not None:
            self._observer.pushed(self.path, other)
        self._work.append(other)
        if len(self._work) > MAX_JUMP_SEQUENCE:
            raise Refusal(
                "too-complex", self.path.pc,
                f"more than {MAX_JUMP_SEQUENCE} branches wait to be explored",
                kernel=f"The sequence of {MAX_JUMP_SEQUENCE + 1} jumps is too complex.",
            )  # fmt: skip

    def _may_end(self, pc: int, result: Scalar, *, is_set: bool) -> int:
        """Behind an instruction that may end its function with ``result``: where to go on.

        ``is_set``: R0 held something before the instruction.
        """
        path = self.path
        if len(path.state.frames) == 1:
            return pc + 1
        self._push(path.state.copy(pc + 1))
        path.regs[0] = path.number(result)
        if path.state.frames[-1].callback:
            callbacks.check_early_end(path, is_set=is_set)
        return leave(path, self.pruner)

    def _call(self, insn: Call, pc: int) -> int:
        self._jumps += 1
        path = self.path
        if path.state.refs:
            locks.check_call(path, insn)
        match insn.kind:
            case CallKind.HELPER:
                is_set = path.regs[0] is not None
                calls.helper(path, insn, self._called_by(insn))
                path.liveness.executed(path.state, pc)
                if not early.is_tail_call(insn):
                    return pc + 1
                goes_on = self._may_end(pc, ANY, is_set=is_set)
                if goes_on != pc + 1:
                    packet.void_pointers(path)  # the program that was called may have moved it
                return goes_on
            case CallKind.KFUNC:
                kfuncs.call(path, insn, self._push, self.pruner)
                path.liveness.executed(path.state, pc)
                if throws(insn):
                    exceptions.end(path)
                    return _ENDED
                return pc + 1
            case CallKind.SUBPROG:
                if not isinstance(insn.target, int):
                    raise Refusal("not-supported", pc, f"{insn.target} is not linked")
                target = pc + 1 + insn.target
                callee = self.shape.function_of(target)
                if callee not in self.globals.functions:
                    return enter(path, target, callee)
                self.globals.call(path, callee)
                path.liveness.executed(path.state, pc)
                return pc + 1
            case other:
                assert_never(other)

    def _called_by(self, insn: Call) -> Callable[[], None]:
        """What is explored besides when the instruction calls a function of the program."""
        if callbacks.calls_back(insn):
            return partial(self._call_back, insn)
        later = deferred.by_helper(insn)
        return partial(self._defer, later) if later is not None else _nothing

    def _defer(self, later: deferred.Later) -> None:
        """The kernel may call a function of the program by itself: explore that, too."""
        self._push(deferred.begin(self.path, later))

    def _call_back(self, insn: Call) -> None:
        """The helper may call a function of the program: explore that, too."""
        function = self.shape.function_of(self.path.read(callbacks.function_argument(insn)).range)
        state = callbacks.enter(self.path, insn, function)
        if state is not None:
            self._push(state)

    def _check_deadline(self, pc: int) -> None:
        deadline = self.path.options.deadline_ns
        if deadline is not None and time.monotonic_ns() > deadline:
            raise Refusal(
                "timeout", pc,
                f"no verdict in time: {self.processed} instructions were processed",
            )  # fmt: skip

    def stack_bytes(self) -> list[int]:
        """How much of its stack frame each function uses, by index in ``shape.starts``."""
        return [self.path.stack_bytes.get(index, 0) for index in range(len(self.shape.starts))]
