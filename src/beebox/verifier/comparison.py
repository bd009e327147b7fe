"""Conditional jumps: which sides are possible, and what each side teaches about its operands."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from beebox.isa.instruction import JumpIf
from beebox.tables.limits import MAX_PACKET_OFFSET
from beebox.tables.opcodes import JmpOp
from beebox.verifier.branch import MIRROR, branch
from beebox.verifier.path import Path
from beebox.verifier.result import RegKind
from beebox.verifier.state import Reg, Slot, State

_NEVER_NULL: Final = (RegKind.MAP_VALUE, RegKind.MAP)


def decide(path: Path, insn: JumpIf) -> tuple[bool, State | None]:
    """Follow a conditional jump.

    Returns ``(jump, other)``: whether ``path.state`` goes on at the jump's target, and, when both
    sides are possible, a second state for the target (``path.state`` then falls through).
    """
    left = path.read(insn.dst)
    right = path.operand(insn.src)
    if left.kind is RegKind.SCALAR and right.kind is RegKind.SCALAR:
        return _numbers(path, insn, left, right)
    equality = insn.op in (JmpOp.EQ, JmpOp.NE) and insn.wide
    if equality and insn.src == 0 and not _is_register(insn):
        if left.nullable:
            other = path.state.copy(path.pc + 1 + insn.offset)
            null, valid = (other, path.state) if insn.op is JmpOp.EQ else (path.state, other)
            _resolve_null(path, null, left.id, is_null=True)
            _resolve_null(path, valid, left.id, is_null=False)
            return False, other
        if left.kind in _NEVER_NULL:
            return insn.op is JmpOp.NE, None
    other = path.state.copy(path.pc + 1 + insn.offset)
    if insn.wide and insn.op in MIRROR and _is_register(insn):
        _packet_bounds(path, insn.op, left, right, other)
    return False, other


def _is_register(insn: JumpIf) -> bool:
    return type(insn.src) is not int


def _numbers(path: Path, insn: JumpIf, left: Reg, right: Reg) -> tuple[bool, State | None]:
    outcome = branch(insn.op, left.scalar, right.scalar, wide=insn.wide)
    if outcome.taken is not None:
        path.precise(left)
        path.precise(right)
        return outcome.taken, None
    other = path.state.copy(path.pc + 1 + insn.offset)
    for state, new_left, new_right in (
        (other, outcome.x_jump, outcome.y_jump),
        (path.state, outcome.x_fall, outcome.y_fall),
    ):
        if new_left is not left.scalar:
            state.replace(left, path.number(new_left, left, right if right.serial else None))
        if right.serial and new_right is not right.scalar and right is not left:
            state.replace(right, path.number(new_right, right, left))
    return False, other


def _resolve_null(path: Path, state: State, id_: int, *, is_null: bool) -> None:
    """Every copy of the lookup result ``id_`` becomes 0 or a pointer to the value."""

    def resolved(old: Reg) -> Reg:
        if is_null:
            return path.number(path.immediate(0).scalar, old)
        return path.moved(old, nullable=False, id_=0)

    _replace_where(state, lambda reg: reg.nullable and reg.id == id_, resolved)


def _packet_bounds(path: Path, op: JmpOp, left: Reg, right: Reg, other: State) -> None:
    """``packet op end``: on one side, the bytes up to the pointer are inside the packet."""
    if _is_bound(left, right):
        pointer = left
    elif _is_bound(right, left):
        pointer, op = right, MIRROR[op]
    else:
        return
    # pointer > end: the fall-through knows pointer <= end. One byte more when they cannot be equal.
    match op:
        case JmpOp.GT:
            state, strict = path.state, False
        case JmpOp.GE:
            state, strict = path.state, True
        case JmpOp.LT:
            state, strict = other, True
        case _:
            state, strict = other, False
    if pointer.off < 0 or (pointer.off == 0 and strict):
        return
    highest = pointer.scalar.umax
    if highest > MAX_PACKET_OFFSET or highest + pointer.off > MAX_PACKET_OFFSET:
        return
    proven = pointer.off + strict

    def extended(old: Reg) -> Reg:
        return path.moved(old, range_=proven)

    _replace_where(
        state,
        lambda reg: reg.kind is pointer.kind and reg.id == pointer.id and reg.range < proven,
        extended,
    )


def _is_bound(pointer: Reg, end: Reg) -> bool:
    """Whether ``end`` limits the memory that ``pointer`` points into."""
    if pointer.kind is RegKind.PACKET:
        return end.kind is RegKind.PACKET_END
    at_data = end.kind is RegKind.PACKET and end.off == 0 and end.scalar.is_const
    return pointer.kind is RegKind.PACKET_META and at_data and end.scalar.value == 0


def _replace_where(
    state: State, matches: Callable[[Reg], bool], make: Callable[[Reg], Reg]
) -> None:
    """Put ``make(reg)`` for each distinct value that ``matches``, in all its copies."""
    made: dict[Reg, Reg] = {}
    for frame in state.frames:
        for index in range(10):
            reg = frame.regs[index]
            if reg is not None and matches(reg):
                if reg not in made:
                    made[reg] = make(reg)
                frame.regs[index] = made[reg]
        for index, slot in enumerate(frame.stack):
            if slot is not None and slot.reg is not None and matches(slot.reg):
                if slot.reg not in made:
                    made[slot.reg] = make(slot.reg)
                frame.stack[index] = Slot(made[slot.reg], slot.kinds)
