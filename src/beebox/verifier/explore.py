"""The exploration: every path of the program, depth first, the fall-through before the jump."""

from __future__ import annotations

from functools import cache, partial
from typing import assert_never

from beebox.isa.instruction import (
    AddrSpaceCast,
    Alu,
    Atomic,
    Call,
    CallKind,
    Exit,
    GlobalRef,
    Jump,
    JumpIf,
    KsymRef,
    Load,
    LoadImm64,
    LoadPacket,
    MapRef,
    MayGoto,
    PseudoImm64,
    Store,
    SubprogRef,
    Swap,
)
from beebox.obj.model import MapSpec, ProgramSpec
from beebox.tables.limits import (
    MAX_CALL_FRAMES,
    MAX_INSNS,
    MAX_JUMP_SEQUENCE,
    MAX_STACK_BYTES,
    MAX_TAIL_CALL_STACK_BYTES,
)
from beebox.verifier import (
    arithmetic,
    callbacks,
    calls,
    comparison,
    early,
    exits,
    legacy,
    loops,
    memory,
    packet,
    rights,
    special,
)
from beebox.verifier.cfg import Shape, function_ranges
from beebox.verifier.findings import Refusal
from beebox.verifier.join import Join
from beebox.verifier.path import Path
from beebox.verifier.prune import Pruner
from beebox.verifier.result import RegKind
from beebox.verifier.scalar import ANY, Scalar, const
from beebox.verifier.state import Frame, Reg, State


def _nothing() -> None:
    """What a helper calls that calls no function of the program."""


class Exploration:
    """One verification. After :meth:`run` returned, the program is safe."""

    def __init__(
        self, spec: ProgramSpec, shape: Shape, *, cpus: int = 1, prune: bool = True
    ) -> None:
        self.spec = spec
        self.shape = shape
        self.tail_calling = early.check_subprograms(spec, function_ranges(shape, len(spec.slots)))
        self.moving = early.moving_globals(spec, shape)
        self.path = Path(spec, cpus)
        self.join = Join(shape)
        self.pruner = Pruner(shape, loops.Loops(spec))
        self.processed = 0
        self.helpers: set[int] = set()
        self.maps: set[str] = set()
        self._jumps = 0
        self._prune = prune
        self._work: list[State] = []

    def run(self) -> None:
        """Explore everything. Raises :exc:`Refusal`."""
        self._work.append(self.path.state)
        while self._work:
            state = self._work.pop()
            self.path.enter(state)
            self._follow(state)
            checkpoint = self.path.state.parent
            while checkpoint is not None:
                checkpoint.branches -= 1
                if checkpoint.branches:
                    break
                self.pruner.finished(checkpoint)
                checkpoint = checkpoint.parent
        self._check_stack_depth()

    def _follow(self, state: State) -> None:
        """One path, to its end or to where it is pruned."""
        path, slots, prune_points = self.path, self.spec.slots, self.shape.prune
        join, pruner = self.join, self.pruner
        pc = state.pc
        while True:
            path.pc = pc
            self.processed += 1
            if self.processed > MAX_INSNS:
                raise Refusal(
                    "too-complex", pc, f"more than {MAX_INSNS} instructions were processed",
                    kernel=f"BPF program is too large. Processed {self.processed} insn",
                )  # fmt: skip
            join.arrive(pc, state)
            if (
                self._prune
                and pc in prune_points
                and pruner.arrive(
                    state, pc, jumps=self._jumps, processed=self.processed, serial=path.serial
                )
            ):
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
                    pc += 1
                case JumpIf():
                    pc = self._branch(insn, pc)
                case LoadImm64():
                    path.write(insn.dst, self._immediate(insn))
                    pc += 2
                case Call():
                    pc = self._call(insn, pc)
                case Jump():
                    self._jumps += 1
                    pc += 1 + insn.offset
                case Exit():
                    self._jumps += 1
                    if len(state.frames) == 1:
                        exits.finish(path)
                        return
                    pc = self._return()
                case Swap():
                    arithmetic.swap(path, insn)
                    pc += 1
                case Atomic():
                    memory.atomic(path, insn)
                    pc += 1
                case LoadPacket():
                    callbacks.refuse_inside(path, "a classic load")
                    legacy.load(path, insn)
                    pc = self._may_end(pc, const(0))
                case MayGoto():
                    pc = self._may_goto(insn, pc)
                case AddrSpaceCast():
                    raise Refusal(
                        "not-supported", pc, "address-space casts need an arena, which is not "
                        "verified yet", kernel="addr_space_cast insn can only be used in a "
                        "program that has an associated arena",
                    )  # fmt: skip
                case None:
                    raise Refusal("jump-range", pc, "control reaches the middle of an instruction")
                case _:
                    assert_never(insn)

    def _immediate(self, insn: LoadImm64) -> Reg:
        match insn.value:
            case int(number):
                return self.path.number(const(number))
            case MapRef(name):
                self._use(name)
                return self.path.pointer(RegKind.MAP, map_=name)
            case GlobalRef(name, offset):
                spec = self._use(name)
                if not 0 <= offset < max(spec.value_size, 1):
                    raise Refusal(
                        "map-value-bounds", self.path.pc,
                        f"offset {offset} is outside the {spec.value_size} bytes of {name}",
                    )  # fmt: skip
                return self.path.pointer(RegKind.MAP_VALUE, map_=name, off=offset)
            case KsymRef(name):
                problem = f"the kernel symbol {name} is not verified yet"
            case SubprogRef(name):
                problem = f"the address of {name}: callbacks are not verified yet"
            case PseudoImm64(pseudo=4, low=distance):
                return callbacks.address(self.spec, self.path, self.path.pc + 1 + distance)
            case PseudoImm64(pseudo, low):
                problem = f"the kernel reads {low} as an object (pseudo {pseudo}): not verified"
            case other:
                assert_never(other)
        raise Refusal("not-supported", self.path.pc, problem)

    def _use(self, name: str) -> MapSpec:
        spec = self.path.map_spec(name)
        if name not in self.maps:
            rights.check_map(self.spec, spec, self.path.pc)
            special.require_plain(spec, self.spec.btf, self.path.pc)
            self.maps.add(name)
        return spec

    def _branch(self, insn: JumpIf, pc: int) -> int:
        self._jumps += 1
        jump, other = comparison.decide(self.path, insn)
        target = pc + 1 + insn.offset
        if other is None:
            self.join.edge(pc, jump=jump)
            return target if jump else pc + 1
        self.join.edge(pc, jump=False)
        self.join.edge(pc, jump=True)
        self._push(other)
        return pc + 1

    def _may_goto(self, insn: MayGoto, pc: int) -> int:
        """The way out first; the next round of the loop later, in a wider state."""
        self._jumps += 1
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
        if self.path.parent is not None:
            self.path.parent.branches += 1
        self._work.append(other)
        if len(self._work) > MAX_JUMP_SEQUENCE:
            raise Refusal(
                "too-complex", self.path.pc,
                f"more than {MAX_JUMP_SEQUENCE} branches wait to be explored",
                kernel=f"The sequence of {MAX_JUMP_SEQUENCE + 1} jumps is too complex.",
            )  # fmt: skip

    def _may_end(self, pc: int, result: Scalar) -> int:
        """Behind an instruction that may end its function with ``result``: where to go on."""
        path = self.path
        if len(path.state.frames) == 1:
            return pc + 1
        self._push(path.state.copy(pc + 1))
        path.regs[0] = path.number(result)
        return self._return()

    def _call(self, insn: Call, pc: int) -> int:
        self._jumps += 1
        if insn.kind is CallKind.HELPER:
            back = callbacks.calls_back(insn)
            calls.helper(self.path, insn, partial(self._call_back, insn) if back else _nothing)
            if isinstance(insn.target, int):
                self.helpers.add(insn.target)
            if not early.is_tail_call(insn):
                return pc + 1
            callbacks.refuse_inside(self.path, "a tail call")
            goes_on = self._may_end(pc, ANY)
            if goes_on != pc + 1:
                packet.void_pointers(self.path)  # the program that was called may have moved it
            return goes_on
        if insn.kind is not CallKind.SUBPROG or not isinstance(insn.target, int):
            raise Refusal("not-supported", pc, "calls of kernel functions are not verified here")
        frames = self.path.state.frames
        if len(frames) >= MAX_CALL_FRAMES:
            raise Refusal(
                "call-depth", pc, f"more than {MAX_CALL_FRAMES} nested calls",
                kernel=f"the call stack of {len(frames) + 1} frames is too deep",
            )  # fmt: skip
        target = pc + 1 + insn.target
        callee = self.shape.function_of(target)
        if callee in self.moving:
            packet.void_pointers(self.path)
        caller = self.path.regs
        regs: list[Reg | None] = [None] * 11
        regs[1:6] = caller[1:6]
        regs[10] = self.path.pointer(RegKind.STACK, frame=len(frames))
        caller[0:6] = [None] * 6
        frames.append(Frame(regs, [], pc + 1, callee))
        self.path.regs = regs
        return target

    def _call_back(self, insn: Call) -> None:
        """The helper may call a function of the program: explore that, too."""
        function = self.shape.function_of(self.path.read(2).range)
        state = callbacks.enter(self.path, insn, function)
        if state is not None:
            self._push(state)

    def _return(self) -> int:
        frames = self.path.state.frames
        result = self.path.regs[0]
        if result is not None and result.kind is RegKind.STACK:
            raise Refusal(
                "return-value", self.path.pc, "a function returns a pointer into its own stack",
                kernel="cannot return stack pointer to the caller", values=(result,), reg=0,
            )  # fmt: skip
        if frames[-1].callback:
            callbacks.check_result(self.path)
        left = frames.pop()
        self.path.regs = frames[-1].regs
        if left.callback:
            before = self.pruner.previous_round(self.path.state, left.return_pc, own=True)
            if before is not None:
                loops.widen(self.path, before, self.path.state)
        else:
            self.path.regs[0] = result
        return left.return_pc

    def stack_bytes(self) -> list[int]:
        """How much of its stack frame each function uses, by index in ``shape.starts``."""
        return [self.path.stack_bytes.get(index, 0) for index in range(len(self.shape.starts))]

    def _check_stack_depth(self) -> None:
        """The frames of a call chain, each rounded up to 16 bytes, share 512 bytes of stack."""
        own = [(used + 15) // 16 * 16 for used in self.stack_bytes()]
        calls = self.shape.calls

        @cache
        def deepest(function: int, frames: int, above: int) -> int:
            if frames > MAX_CALL_FRAMES:  # also where functions call each other in a circle
                raise Refusal(
                    "call-depth", self.shape.starts[function],
                    f"more than {MAX_CALL_FRAMES} nested calls",
                    kernel=f"the call stack of {frames - 1} frames is too deep !",
                )  # fmt: skip
            if function in self.tail_calling and above >= MAX_TAIL_CALL_STACK_BYTES and frames > 1:
                raise Refusal(
                    "call-depth", self.shape.starts[function],
                    f"a function that calls bpf_tail_call stands below {above} bytes of stack; "
                    f"fewer than {MAX_TAIL_CALL_STACK_BYTES} are allowed",
                    kernel="tail_calls are not allowed when call stack of previous frames is "
                    f"{above} bytes. Too large",
                )  # fmt: skip
            used = above + own[function]
            below = [deepest(callee, frames + 1, used) for callee in calls[function]]
            return max(below, default=used)

        total = deepest(0, 1, 0)
        if total > MAX_STACK_BYTES:
            raise Refusal(
                "call-depth", 0, f"the call chain needs {total} bytes of stack; "
                f"{MAX_STACK_BYTES} is the limit",
                kernel=f"combined stack size of {len(own)} calls is {total}. Too large",
            )  # fmt: skip
