"""What a mispredicting CPU may do: Linux's rules for loads without CAP_PERFMON (Spectre v1).

Behind a jump whose way is decided the other way is explored, too, as are additions to pointers
whose result is then cut off. Such a path may do nothing unsafe either; where it would, Linux puts
a barrier in front of the instruction instead of refusing the program, and the path ends there.
Nothing that only such paths reach is ever executed, so they leave no facts.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from beebox.isa.instruction import Alu, JumpIf
from beebox.isa.instruction import Reg as RegNumber
from beebox.tables.limits import MAX_STACK_BYTES
from beebox.tables.opcodes import AluOp
from beebox.verifier.findings import Refusal
from beebox.verifier.numbers.scalar import ANY, U32, Scalar
from beebox.verifier.result import RegKind
from beebox.verifier.states.state import MISC, ZERO, State
from beebox.verifier.states.value import Reg

_SUMS: Final = (AluOp.ADD, AluOp.SUB)
_FINAL: Final = frozenset(
    {"call-depth", "infinite-loop", "internal", "not-supported", "timeout", "too-complex"}
)
"""Findings that no barrier mends: Linux gives up, or we do not know what it would say."""

_OVERWRITTEN: Final = MISC + ZERO
_NUMBER: Final = "number"
_PROHIBITED: Final = "pointer arithmetic with it prohibited for !root"

Made = Callable[[Scalar], Reg]
"""Makes a new number: ``Path.number``."""


class Window:
    """An addition to a pointer that is under way: how far it may go, and in which direction."""

    __slots__ = ("kind", "left", "limit")

    def __init__(self, kind: str, limit: int, *, left: bool) -> None:
        self.kind = kind
        self.limit = limit
        self.left = left


class Speculation:
    """The barriers and limits of one verification.

    ``nospec`` are the instructions behind a barrier, ``nospec_result`` those with one behind them.
    ``alu`` is what each addition works on: one instruction has room for one limit.
    ``explore_alu_limits``: states are pruned only where all numbers are the same.
    """

    __slots__ = ("_push", "alu", "explore_alu_limits", "nospec", "nospec_result")

    def __init__(self, push: Callable[[State], None]) -> None:
        self._push = push
        self.nospec: set[int] = set()
        self.nospec_result: set[int] = set()
        self.alu: dict[int, tuple[str, int]] = {}
        self.explore_alu_limits = False

    def absorbs(self, state: State, pc: int, refusal: Refusal) -> bool:
        """Whether a barrier before ``pc`` keeps the path from doing what was refused."""
        if not state.speculative or refusal.code in _FINAL:
            return False
        self.nospec.add(pc)
        self.alu.pop(pc, None)
        return True

    def ends(self, state: State, pc: int) -> bool:
        """Whether the path ends behind ``pc``, at the barrier there."""
        return state.speculative and pc in self.nospec_result

    def mispredicted(self, state: State, insn: JumpIf, target: int, number: Made) -> None:
        """Explore the way that a decided jump does not take; nothing is known of its operands."""
        other = state.copy(target)
        other.speculative = True
        regs = other.frames[-1].regs
        regs[insn.dst] = number(ANY)
        if isinstance(insn.src, RegNumber):
            regs[insn.src] = number(ANY)
        self._push(other)

    def wrote(self, pc: int, kinds: str, size: int, *, pointer: bool = False) -> None:
        """A store into a stack slot: loads behind it may not see what lay there before.

        As in Linux, the slot's last bytes are looked at, whichever are written.
        """
        if pointer or kinds[8 - size :].strip(_OVERWRITTEN):
            self.nospec_result.add(pc)

    def number(self, pc: int, insn: Alu) -> None:
        """An addition of two numbers."""
        if insn.op in _SUMS and isinstance(insn.src, RegNumber) and pc not in self.nospec:
            self._note(pc, insn, _NUMBER, 0)

    def begin(
        self, state: State, pc: int, insn: Alu, pointer: Reg, number: Reg, value_size: int
    ) -> Window | None:
        """A pointer is about to be moved. Raises :exc:`Refusal`; None: nothing to limit.

        ``value_size``: of the map, where the pointer points into one.
        """
        if insn.op not in _SUMS or not isinstance(insn.src, RegNumber) or pc in self.nospec:
            return None
        constant = number.scalar.is_const
        in_dst = state.frames[-1].regs[insn.dst] is pointer
        window: Window | None = None
        if not state.speculative:
            negative = number.scalar.smin < 0
            if not constant and negative != (number.scalar.smax < 0):
                at = insn.src if in_dst else insn.dst
                kernel = f"R{at} has unknown scalar with mixed signed bounds, {_PROHIBITED}"
                raise _refused(pc, "an offset that may have either sign", kernel, number, insn.dst)
            left = negative is (insn.op is AluOp.ADD)
            limit = _limit(pc, insn, pointer, value_size, left=left, in_dst=in_dst)
            kind = f"{negative} {constant} {in_dst}"
            window = Window(kind, limit, left=left)
            if not constant:
                self.explore_alu_limits = True
        if not constant:
            other = state.copy(pc + 1)
            other.speculative = True
            other.frames[-1].regs[insn.dst] = pointer
            self._push(other)
        return window

    def commit(self, pc: int, insn: Alu, moved: Reg, window: Window, value_size: int) -> None:
        """The pointer was moved: as far as that is what the instruction will be limited to."""
        limit = _limit(pc, insn, moved, value_size, left=window.left, in_dst=True)
        self._note(pc, insn, window.kind, abs(window.limit - limit))

    def _note(self, pc: int, insn: Alu, kind: str, limit: int) -> None:
        if self.alu.setdefault(pc, (kind, limit)) != (kind, limit):
            verb = "add" if insn.op is AluOp.ADD else "sub"
            raise Refusal(
                "speculation", pc,
                "the addition works on different kinds of value, or within different limits, on "
                "different paths: none keeps a mispredicting CPU inside",
                kernel=f"R{insn.dst} tried to {verb} from different maps, paths or scalars, "
                f"{_PROHIBITED}", reg=insn.dst,
            )  # fmt: skip


def check_bounds(pc: int, insn: Alu, moved: Reg, value_size: int) -> None:
    """Whether a pointer to the stack or into a map value still points into it."""
    if moved.kind is RegKind.STACK:
        where = moved.off + moved.scalar.smin
        if not moved.scalar.is_const:
            text, kernel = "a stack pointer with a variable offset", "variable stack access"
        elif not -MAX_STACK_BYTES <= where < 0:
            text = f"a pointer to offset {where} of the stack"
            kernel = "stack pointer arithmetic goes out of range"
        else:
            return
    elif moved.kind is RegKind.MAP_VALUE:
        low, high = moved.off + moved.scalar.smin, moved.off + moved.scalar.umax
        if low >= 0 and high < value_size:
            return
        text = f"a pointer that may leave the map value: {low}..={high} of {value_size} bytes"
        kernel = "pointer arithmetic of map value goes out of range"
    else:
        return
    kernel = f"R{insn.dst} {kernel} prohibited for !root"
    if "range" in kernel:
        kernel = kernel.replace(" prohibited", ", prohibited")
    raise _refused(pc, text, kernel, moved, insn.dst)


def _limit(pc: int, insn: Alu, pointer: Reg, value_size: int, *, left: bool, in_dst: bool) -> int:
    """How far behind the start of its memory the pointer points, or before its end."""
    if pointer.kind is RegKind.STACK:
        most = MAX_STACK_BYTES + left
        limit = -(pointer.scalar.smin + pointer.off) & U32
    elif pointer.kind is RegKind.MAP_VALUE:
        most = value_size
        limit = ((pointer.scalar.smin if left else pointer.scalar.umax) + pointer.off) & U32
    else:
        at = insn.dst if in_dst else insn.src
        kernel = f"R{at} has pointer with unsupported alu operation, {_PROHIBITED}"
        raise _refused(pc, "only stack and map values have a known size", kernel, pointer, insn.dst)
    if limit >= most:
        verb = "add" if insn.op is AluOp.ADD else "sub"
        kernel = f"R{insn.dst} tried to {verb} beyond pointer bounds, {_PROHIBITED}"
        raise _refused(pc, "the pointer leaves its memory", kernel, pointer, insn.dst)
    return limit


def _refused(pc: int, text: str, kernel: str, value: Reg, dst: int) -> Refusal:
    message = f"{text}: nothing keeps a mispredicting CPU inside its memory"
    return Refusal("speculation", pc, message, kernel=kernel, values=(value,), reg=dst)
