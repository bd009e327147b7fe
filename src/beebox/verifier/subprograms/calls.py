"""Calls of the program's own functions, and the return from them.

A static function is followed in its caller's state. A global one is taken for what its prototype
says, and verified by itself, in any state that the prototype allows; but only if it is called.
"""

from __future__ import annotations

from typing import Final

from beebox.btf.types import Linkage
from beebox.tables.limits import MAX_CALL_FRAMES
from beebox.verifier.accesses import packet
from beebox.verifier.dynptrs import slots
from beebox.verifier.findings import Refusal
from beebox.verifier.helpers import callbacks
from beebox.verifier.path import Path
from beebox.verifier.pruning import loops
from beebox.verifier.pruning.prune import Pruner
from beebox.verifier.result import RegKind
from beebox.verifier.shape import rights
from beebox.verifier.shape.cfg import Shape, throws
from beebox.verifier.states import references
from beebox.verifier.states.state import Frame, HeldKind, State
from beebox.verifier.states.value import Reg
from beebox.verifier.subprograms import effects, prototype
from beebox.verifier.subprograms.match import check
from beebox.verifier.subprograms.prototype import Expected, Parameter

_LOCKS: Final = (HeldKind.LOCK, HeldKind.RES_LOCK, HeldKind.RES_LOCK_IRQ)


class Globals:
    """The global functions of a program, by index: what they are like, which were called."""

    __slots__ = ("_moving", "_parameters", "_sleeping", "_throwing", "called", "functions")

    def __init__(self, path: Path, shape: Shape) -> None:
        self.functions = prototype.global_functions(path.spec, shape.starts)
        some = bool(self.functions)
        none: frozenset[int] = frozenset()
        functions_that = effects.functions_that
        self._moving = functions_that(effects.moves_packet, path.spec, shape) if some else none
        if some and effects.makes_packet_dynptr(path.spec):
            self._moving |= functions_that(effects.writes_dynptr, path.spec, shape)
        self._sleeping = functions_that(effects.may_sleep, path.spec, shape) if some else none
        self._throwing = functions_that(throws, path.spec, shape) if some else none
        self._parameters: dict[int, tuple[Parameter, ...]] = {}
        self.called: set[int] = set()

    def parameters(self, path: Path, index: int) -> tuple[Parameter, ...]:
        """The parameters of a global function. Refuses a prototype that Linux refuses."""
        found = self._parameters.get(index)
        if found is None:
            found = self._parameters[index] = prototype.read(path, self.functions[index])
        return found

    def call(self, path: Path, index: int) -> None:
        """The global function does what its prototype allows, and returns some number."""
        function = self.functions[index]
        parameters = self.parameters(path, index)
        check(path, function, parameters)
        if any(held.kind in _LOCKS for held in path.state.refs):
            raise Refusal(
                "function-context", path.pc,
                f"the global function {function.name} is called while a lock is held",
                kernel="global function calls are not allowed while holding a lock,",
                hint="make the function static",
            )  # fmt: skip
        if index in self._sleeping and not _may_sleep_here(path):
            raise Refusal(
                "function-context", path.pc,
                f"the global function {function.name} may sleep, and is called where nothing may",
                kernel="global functions that may sleep are not allowed in non-sleepable context,",
            )  # fmt: skip
        if index in self._throwing:  # Linux does not ask
            what = f"{function.name}, which may end the program, is called"
            references.require_none(path, what, kernel="bpf_throw", everywhere=True)
        if index in self._moving:
            packet.void_pointers(path)
        self.called.add(index)
        path.regs[0:6] = [path.unknown(), None, None, None, None, None]

    def start(self, path: Path, index: int, pc: int) -> State:
        """The state in which a global function begins: any that its prototype allows."""
        path.pc = pc
        regs: list[Reg | None] = [None] * 11
        for number, parameter in enumerate(self.parameters(path, index), 1):
            regs[number] = given(path, parameter)
        regs[10] = path.pointer(RegKind.STACK)
        asleep = rights.sleepable(path.spec)
        return State([Frame(regs, [], -1, index)], None, pc, sleepable=asleep)


def _may_sleep_here(path: Path) -> bool:
    state = path.state
    held = any(each.kind in (HeldKind.IRQ, HeldKind.RES_LOCK_IRQ) for each in state.refs)
    return path.sleepable and not held and not state.guards.rcu and not state.guards.preempt


def parameters_of_program(path: Path) -> tuple[Parameter, ...]:
    """The parameters of the program's own first function, as its BTF has them."""
    function = prototype.described(path.spec).get(0)
    if function is None or function.linkage is not Linkage.GLOBAL:
        raise Refusal(
            "attach-target", 0, "a program that replaces a function has BTF of its own, and is "
            "global", kernel="is not a global function",
        )  # fmt: skip
    return prototype.read(path, function)


def given(path: Path, parameter: Parameter) -> Reg:
    """What a global function may rely on of an argument."""
    kind, id_ = parameter.kind, path.new_id() if parameter.nullable else 0
    match kind:
        case Expected.NUMBER | Expected.ARENA:
            return path.unknown()
        case Expected.CTX:
            return path.pointer(RegKind.CTX)
        case Expected.MEMORY:
            return path.pointer(
                RegKind.MEM,
                range_=parameter.size,
                id_=id_,
                nullable=parameter.nullable,
                flags=parameter.flags,
            )
        case Expected.BTF_ID:
            return path.pointer(
                RegKind.BTF_ID,
                id_=path.new_id(),
                nullable=parameter.nullable,
                flags=parameter.flags,
                type_=parameter.type,
            )
        case Expected.DYNPTR:
            return slots.constant(path)


def enter(path: Path, target: int, callee: int) -> int:
    """Go on in the static function at ``target``, the ``callee``-th of the program."""
    frames = path.state.frames
    if len(frames) >= MAX_CALL_FRAMES:
        raise Refusal(
            "call-depth", path.pc, f"more than {MAX_CALL_FRAMES} nested calls",
            kernel=f"the call stack of {len(frames) + 1} frames is too deep",
        )  # fmt: skip
    caller = path.regs
    regs: list[Reg | None] = [None] * 11
    regs[1:6] = caller[1:6]
    regs[10] = path.pointer(RegKind.STACK, frame=len(frames))
    caller[0:6] = [None] * 6
    frames.append(Frame(regs, [], path.pc + 1, callee))
    path.regs = regs
    path.liveness.leave()
    return target


def leave(path: Path, pruner: Pruner) -> int:
    """Return from a function that another one, or a helper, has called: where to go on."""
    frames = path.state.frames
    result = path.regs[0]
    if result is not None and result.kind is RegKind.STACK:
        raise Refusal(
            "return-value", path.pc, "a function returns a pointer into its own stack",
            kernel="cannot return stack pointer to the caller", values=(result,), reg=0,
        )  # fmt: skip
    if frames[-1].callback:
        callbacks.check_result(path)
    path.liveness.settle(path.state)
    left = frames.pop()
    path.regs = frames[-1].regs
    if left.callback:
        before = pruner.previous_round(path.state, left.return_pc, own=True)
        if before is not None:
            loops.widen(path, before, path.state)
    else:
        path.regs[0] = result
    return left.return_pc
