"""Comparison of states: whether an earlier one includes all that a new one can do.

The kernel's ``states_equal``: a value that later decisions relied on must be at least as tight in
the new state, pointers must agree, and what is linked must be linked in the same way.
"""

from __future__ import annotations

from typing import Final

from beebox.verifier.numbers.scalar import ANY, subset
from beebox.verifier.result import RegKind
from beebox.verifier.states.state import (
    DYNPTR,
    ITER,
    MISC,
    SPILLED,
    UNWRITTEN,
    ZERO,
    Checkpoint,
    Slot,
    State,
)
from beebox.verifier.states.value import SCALAR, Reg

_ANYTHING: Final = UNWRITTEN + MISC
_NOTHING: Final = UNWRITTEN * 8
_EXACT: Final = frozenset(
    {RegKind.MEM, RegKind.FUNC, RegKind.DYNPTR, RegKind.MAP, RegKind.MAP_VALUE}
)
"""Their ``range`` is a size, a place, a type or an identity."""


def equal(old: Reg | None, new: Reg | None, ids: dict[int, int]) -> bool:
    """Whether the values differ in nothing but their history and the names of references.

    ``ids`` are the references that stand for each other, by the old one's; they grow.
    """
    if old is new:
        return True
    if old is None or new is None or old.kind is not new.kind or old.scalar is not new.scalar:
        return False
    return same_id(old.ref, new.ref, ids) and (
        old.off, old.range, old.map, old.frame, old.nullable, old.flags, old.type
    ) == (
        new.off, new.range, new.map, new.frame, new.nullable, new.flags, new.type
    )  # fmt: skip


def same_id(old: int, new: int, ids: dict[int, int]) -> bool:
    """Whether ``new`` stands for ``old``; 0 is none."""
    if not old or not new:
        return old == new
    return ids.setdefault(old, new) == new


def covers(
    checkpoint: Checkpoint,
    state: State,
    *,
    every_number: bool = False,
    same_numbers: bool = False,
    allow_uninit_stack: bool = True,
) -> bool:
    """Whether all that ``state`` can do was explored from ``checkpoint``.

    ``every_number``: also those match that no decision relied on, so far, and as in Linux the bytes
    of the stack are of the same kinds. ``same_numbers``: and all
    are not only included, but the same. ``allow_uninit_stack``: reading bytes that were never
    written is as good as reading any number.
    """
    if len(checkpoint.frames) != len(state.frames):
        return False
    if checkpoint.frames[-1].return_pc != state.frames[-1].return_pc:
        return False
    if checkpoint.guards != state.guards or checkpoint.sleepable != state.sleepable:
        return False
    precise = checkpoint.precise
    same_kinds = every_number
    every_number = every_number or same_numbers
    pairs = _Pairing(precise, every_number=every_number, same_numbers=same_numbers)
    anything = _ANYTHING if allow_uninit_stack else UNWRITTEN
    if (checkpoint.refs or state.refs) and not pairs.same_references(checkpoint, state):
        return False
    # The innermost frame first: there most states differ.
    for depth in range(len(state.frames) - 1, -1, -1):
        old, new = checkpoint.frames[depth], state.frames[depth]
        if old.return_pc != new.return_pc or old.rounds > new.rounds:
            return False
        old_regs, new_regs = old.regs, new.regs
        for number in range(10):
            was = old_regs[number]
            if was is None:
                continue
            now = new_regs[number]
            if was.kind is SCALAR and not every_number and was not in precise:
                if now is None or now.kind is not SCALAR:
                    return False
            elif not pairs.covers(was, now):
                if depth == len(state.frames) - 1:
                    checkpoint.failed_at = number
                return False
        new_stack = new.stack
        if same_kinds and not _same_kinds(old.stack, new_stack):
            return False
        for index, slot in enumerate(old.stack):
            if slot is None:
                continue
            there = new_stack[index] if index < len(new_stack) else None
            if not _covers_slot(pairs, slot, there, anything):
                return False
    return True


def _same_kinds(old: list[Slot | None], new: list[Slot | None]) -> bool:
    """Whether the stack, as far as the old one was accessed, has bytes of the same kinds."""
    if len(old) > len(new):
        return False
    for was, now in zip(old, new, strict=False):
        if was is now:
            continue
        kinds = was.kinds if was is not None else _NOTHING
        if kinds != (now.kinds if now is not None else _NOTHING):
            return False
    return True


def _covers_slot(pairs: _Pairing, old: Slot, new: Slot | None, anything: str) -> bool:
    """``anything``: the kinds of byte that are covered whatever is there now."""
    kinds = old.kinds
    if kinds != SPILLED and not kinds.strip(anything):
        return True
    if new is None:
        return False
    was = _number(old, anything)
    if was is not None and (now := _number(new, anything)) is not None:
        return pairs.covers(was, now)
    if kinds != new.kinds:
        for kind, there in zip(kinds, new.kinds, strict=True):
            if kind not in anything and kind != there and (kind != MISC or there != ZERO):
                return False
    if old.reg is not None and old.reg.kind is RegKind.DYNPTR and old.kinds[0] == DYNPTR:
        return pairs.same_dynptr(old.reg, new.reg)
    if kinds[0] == ITER:
        return pairs.same_iterator(old.reg, new.reg)
    return old.reg is None or pairs.covers(old.reg, new.reg)


def _number(slot: Slot, anything: str) -> Reg | None:
    """The number that all 8 bytes hold: a spilled one, or any number. None: they hold no number."""
    if slot.kinds == SPILLED:
        return slot.reg if slot.reg is not None and slot.reg.kind is SCALAR else None
    return None if slot.kinds.strip(anything + MISC) else unbounded()


def unbounded() -> Reg:
    """What a load of bytes of which nothing is known would give: linked with no register."""
    return Reg(SCALAR, ANY, 0, -1)


class _Pairing:
    """Which old value stands for which new one, within one comparison.

    Two registers that shared one value when the checkpoint was made, or were a constant apart, were
    refined together from there on; where that mattered (the value is precise), the new ones must
    share one value or be as far apart, too.
    """

    __slots__ = ("_every_number", "_ids", "_roots", "_same_numbers", "precise")

    def __init__(self, precise: set[Reg], *, every_number: bool, same_numbers: bool) -> None:
        self.precise = precise
        self._every_number = every_number
        self._same_numbers = same_numbers
        self._ids: dict[int, int] = {}
        self._roots: dict[int, tuple[int, int]] = {}

    def covers(self, old: Reg, new: Reg | None) -> bool:
        """Whether ``old`` includes ``new``."""
        if new is None or old.kind is not new.kind:
            return False
        if old.kind is SCALAR:
            if not self._every_number and old not in self.precise:
                return True
            if self._same_numbers and old.scalar is not new.scalar:
                return False
            if old.off and (old.off != new.off or old.range != new.range):
                return False  # as in Linux, whoever else is left of the relatives
            if old.serial and not old.scalar.is_const and not self._same_distance(old, new):
                return False
            return subset(new.scalar, old.scalar)
        if old is new and not old.id and not old.ref:
            return True
        if old.off != new.off or old.map != new.map or old.frame != new.frame:
            return False
        if old.nullable != new.nullable or old.range > new.range:
            return False
        if old.flags != new.flags or old.type is not new.type:
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
        return all(
            was.kind is now.kind and was.holder == now.holder and self._same_id(was.id, now.id)
            for was, now in pairs
        )

    def same_dynptr(self, old: Reg, new: Reg | None) -> bool:
        """Whether two slots of dynptrs are alike: which one it is does not count, as in Linux."""
        return (
            new is not None
            and (old.off, old.range) == (new.off, new.range)
            and self._same_id(old.ref, new.ref)
        )

    def same_iterator(self, old: Reg | None, new: Reg | None) -> bool:
        """Whether two slots of iterators are alike, however many elements they gave."""
        return (
            old is not None
            and new is not None
            and old.off == new.off
            and old.type is new.type
            and self._same_id(old.ref, new.ref)
        )

    def _same_id(self, old: int, new: int) -> bool:
        if not old and not new:
            return True
        return bool(old and new) and self._ids.setdefault(old, new) == new
