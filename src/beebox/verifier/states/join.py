"""Facts: what holds of each register in all explored states, for code generation.

Every state that arrives at a pc joins, also one that is pruned there. Only kinds of values are
joined, never ranges: a range that no later decision relied on is not an invariant.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from beebox.verifier.numbers.scalar import const
from beebox.verifier.result import RegFact, RegKind
from beebox.verifier.shape.cfg import Shape
from beebox.verifier.states.state import State
from beebox.verifier.states.value import SCALAR, STACK, PtrFlag, Reg

_SCALAR: Final = RegFact(RegKind.SCALAR)
_ZERO: Final = RegFact(
    RegKind.SCALAR, offset=0
)  # only here: the constant 0, which may also be NULL
_MIXED: Final = RegFact(RegKind.MIXED)
_NULL: Final = const(0)


class Join:
    """Facts under construction. ``rows[pc]`` is None until a state arrives."""

    __slots__ = ("_live", "edges", "rows")

    def __init__(self, shape: Shape) -> None:
        self._live = shape.live_numbers
        self.rows: list[list[RegFact | None] | None] = [None] * len(shape.live)
        self.edges: dict[int, int] = {}

    def arrive(self, pc: int, state: State) -> None:
        """A state is about to execute ``pc``."""
        frame = state.frames[-1]
        depth = len(state.frames) - 1
        regs = frame.regs
        row = self.rows[pc]
        if row is None:
            row = self.rows[pc] = [None] * 11
            row[10] = _pointer(STACK, offset=0)
            for number in self._live[pc]:
                reg = regs[number]
                row[number] = None if reg is None else _fact(reg, depth)
            return
        for number in self._live[pc]:
            reg = regs[number]
            if reg is None:
                continue
            old = row[number]
            if old is _SCALAR and reg.kind is SCALAR:
                continue
            new = _fact(reg, depth)
            if old is not new:
                row[number] = new if old is None else _join(old, new)

    def edge(self, pc: int, *, jump: bool) -> None:
        """A conditional jump was followed on this side."""
        self.edges[pc] = self.edges.get(pc, 0) | (2 if jump else 1)

    def regs(self) -> tuple[tuple[RegFact | None, ...] | None, ...]:
        """The finished table."""
        return tuple(
            None if row is None else tuple(_SCALAR if fact is _ZERO else fact for fact in row)
            for row in self.rows
        )


def _fact(reg: Reg, depth: int) -> RegFact:
    if reg.kind is SCALAR:
        return _ZERO if reg.scalar is _NULL else _SCALAR
    if reg.kind is STACK:
        offset = reg.off + reg.scalar.smin if reg.scalar.is_const else None
        return _pointer(STACK, frames_up=depth - reg.frame, offset=offset)
    fact = reg.fact
    if fact is None:
        # Untrusted is any address, as pointers into the kernel are: only its own loads survive.
        kind = RegKind.BTF_ID if reg.flags & PtrFlag.UNTRUSTED else reg.kind
        fact = reg.fact = _pointer(kind, reg.map or None, reg.nullable)
    return fact


@lru_cache(maxsize=4096)
def _pointer(
    kind: RegKind,
    map_: str | None = None,
    nullable: bool = False,
    frames_up: int = 0,
    offset: int | None = None,
) -> RegFact:
    """The fact, one object for equal facts: most arrivals only compare identities."""
    return RegFact(kind, map_, nullable, frames_up, offset)


def _join(old: RegFact, new: RegFact) -> RegFact:
    if RegKind.SCALAR in (old.kind, new.kind):
        if old.kind is new.kind:
            return _SCALAR
        pointer, number = (new, old) if old.kind is RegKind.SCALAR else (old, new)
        if number is not _ZERO or pointer.kind in (RegKind.MIXED, RegKind.STACK):
            return _MIXED
        return _pointer(pointer.kind, pointer.map, nullable=True)
    if old.kind is not new.kind or old.frames_up != new.frames_up:
        return _MIXED
    return _pointer(
        old.kind,
        old.map if old.map == new.map else None,
        old.nullable or new.nullable,
        old.frames_up,
        old.offset if old.offset == new.offset else None,
    )
