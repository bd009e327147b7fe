"""Conditional jumps: which sides are possible, and what each side teaches about its operands."""

from __future__ import annotations

from typing import Final

from beebox.isa.instruction import JumpIf
from beebox.isa.instruction import Reg as RegNumber
from beebox.tables.limits import MAX_PACKET_OFFSET
from beebox.tables.opcodes import JmpOp
from beebox.verifier.accesses.packet import ANY_PACKET
from beebox.verifier.btf_pointers import trust
from beebox.verifier.numbers.branch import MIRROR, branch
from beebox.verifier.path import Path
from beebox.verifier.profiles import leaks
from beebox.verifier.result import RegKind
from beebox.verifier.states import references
from beebox.verifier.states.state import State
from beebox.verifier.states.value import AT_END, BEYOND_END, MAP_VALUE, PACKET, SCALAR, PtrFlag, Reg

_NEVER_NULL: Final = frozenset(
    {
        MAP_VALUE,
        RegKind.MAP,
        RegKind.SOCK_COMMON,
        RegKind.SOCKET,
        RegKind.TCP_SOCK,
        RegKind.MEM,
    }
)
_NOT_EQUATED: Final = {SCALAR, RegKind.BTF_ID}


def decide(path: Path, insn: JumpIf) -> tuple[bool, State | None]:
    """Follow a conditional jump.

    Returns ``(jump, other)``: whether ``path.state`` goes on at the jump's target, and, when both
    sides are possible, a second state for the target (``path.state`` then falls through).
    """
    left = path.read(insn.dst)
    right = path.operand(insn.src)
    if left.kind is SCALAR and right.kind is SCALAR:
        return _numbers(path, insn, left, right)
    leaks.check_right(path, insn, left, right)
    if left.kind in ANY_PACKET and right.kind in ANY_PACKET:
        return _packet_pointers(path, insn, left, right)
    pointer, zero = (right, left) if left.kind is SCALAR else (left, right)
    is_zero = zero.kind is SCALAR and zero.scalar.is_const and zero.scalar.value == 0
    equality = insn.op in (JmpOp.EQ, JmpOp.NE)
    if is_zero and equality and _never_null(pointer):
        return insn.op is JmpOp.NE, None
    leaks.check_left(path, insn, left, right)
    other = path.state.copy(path.pc + 1 + insn.offset)
    if equality and insn.wide:
        equal, unequal = (other, path.state) if insn.op is JmpOp.EQ else (path.state, other)
        if type(insn.src) is int and is_zero and left.nullable:
            references.resolve_null(path, equal, left, is_null=True)
            references.resolve_null(path, unequal, left, is_null=False)
        elif left.nullable != right.nullable and not {left.kind, right.kind} & _NOT_EQUATED:
            # Equal to a pointer that is none: not NULL. Linux learns it of this register only.
            number = insn.dst if left.nullable else int(insn.src)
            maybe = left if left.nullable else right
            equal.frames[-1].regs[number] = references.not_null(path, maybe)
    return False, other


def _never_null(pointer: Reg) -> bool:
    if pointer.nullable:
        return False
    if pointer.kind is RegKind.BTF_ID:
        return trust.is_trusted(pointer)
    return pointer.kind in _NEVER_NULL and not pointer.flags & PtrFlag.UNTRUSTED


def _numbers(path: Path, insn: JumpIf, left: Reg, right: Reg) -> tuple[bool, State | None]:
    itself = insn.dst == insn.src and isinstance(insn.src, RegNumber)
    outcome = branch(insn.op, left.scalar, right.scalar, wide=insn.wide, itself=itself)
    if outcome.taken is not None:
        path.precise(left)
        path.precise(right)
        return outcome.taken, None
    other = path.state.copy(path.pc + 1 + insn.offset)
    copies = right is left and not itself  # of two, Linux keeps what it learned of the right one
    # For Linux each of two registers rests on the other from here on, whatever was learned.
    tied = bool(right.serial) and right is not left
    for state, new_left, new_right in (
        (other, outcome.y_jump if copies else outcome.x_jump, outcome.y_jump),
        (path.state, outcome.y_fall if copies else outcome.x_fall, outcome.y_fall),
    ):
        if tied or new_left is not left.scalar:
            path.refine(state, left, new_left, right if right.serial else None)
        if tied:
            path.refine(state, right, new_right, left)
    return False, other


def _packet_pointers(path: Path, insn: JumpIf, left: Reg, right: Reg) -> tuple[bool, State | None]:
    """Two pointers into or behind the packet: what a comparison with its end proves."""
    op = insn.op
    if not insn.wide or op not in MIRROR:
        leaks.check_left(path, insn, left, right)
        return False, path.state.copy(path.pc + 1 + insn.offset)
    number: int = insn.dst
    pointer, end = left, right
    if _is_bound(right, left):
        pointer, end, op, number = right, left, MIRROR[op], int(insn.src)
    if end.kind is RegKind.PACKET_END:
        decided = _beyond(op, pointer.range)
        if decided is not None:
            return decided, None
    leaks.check_left(path, insn, left, right)
    other = path.state.copy(path.pc + 1 + insn.offset)
    if not _is_bound(pointer, end):
        return False, other
    # pointer > end: the fall-through knows pointer <= end, the jump that it is beyond. One byte
    # more is proven when they cannot be equal; one byte less is known of what lies behind.
    inside, outside = (path.state, other) if op in (JmpOp.GT, JmpOp.GE) else (other, path.state)
    strict = op in (JmpOp.GE, JmpOp.LT)
    _prove(path, inside, pointer, strict=strict)
    if pointer.kind is PACKET:
        range_ = AT_END if strict else BEYOND_END
        outside.frames[-1].regs[number] = path.moved(pointer, range_=range_)
    return False, other


def _beyond(op: JmpOp, range_: int) -> bool | None:
    """Whether ``pointer op end`` holds for a pointer found at or behind the packet's end."""
    if range_ == BEYOND_END:
        return op in (JmpOp.GT, JmpOp.GE)
    if range_ == AT_END and op in (JmpOp.GE, JmpOp.LT):
        return op is JmpOp.GE
    return None


def _prove(path: Path, state: State, pointer: Reg, *, strict: bool) -> None:
    """The bytes up to ``pointer`` are inside the packet: so much is proven for its relatives."""
    if pointer.off < 0 or (pointer.off == 0 and strict):
        return
    highest = pointer.scalar.umax
    if highest > MAX_PACKET_OFFSET or highest + pointer.off > MAX_PACKET_OFFSET:
        return
    proven = pointer.off + strict

    def extended(old: Reg) -> Reg:
        return path.moved(old, range_=proven)

    state.replace_where(
        lambda reg: reg.kind is pointer.kind and reg.id == pointer.id and reg.range < proven,
        extended,
    )


def _is_bound(pointer: Reg, end: Reg) -> bool:
    """Whether ``end`` limits the memory that ``pointer`` points into."""
    if pointer.kind is PACKET:
        return end.kind is RegKind.PACKET_END
    at_data = end.kind is PACKET and end.off == 0 and end.scalar.is_const
    return pointer.kind is RegKind.PACKET_META and at_data and end.scalar.value == 0
