"""Long explorations forget how values came to be between two checkpoints.

What a later decision may rely on is found in the values that a checkpoint has, by walking back from
there to the checkpoint before (``mark_precise``). The values in between
serve explanations; there are millions of them in a long exploration, and all their numbers.
"""

from __future__ import annotations

from typing import Final

from beebox.verifier.numbers.scalar import ANY
from beebox.verifier.result import RegKind
from beebox.verifier.states.state import Frame
from beebox.verifier.states.value import Reg

LONG: Final = 200_000
"""Values after which an exploration is long."""


def forget_between(frames: list[Frame], older: int) -> None:
    """Let the values of the frames descend from those that ``older`` or a lower serial has."""
    found: dict[Reg, None] = {}
    for frame in frames:
        for reg in frame.regs:
            if reg is not None and reg.serial > older:
                found[reg] = None
        for slot in frame.stack:
            if slot is not None and slot.reg is not None and slot.reg.serial > older:
                found[slot.reg] = None
    for reg in sorted(found, key=_serial):
        _shorten(reg, older)


def _serial(reg: Reg) -> int:
    return reg.serial


def _shorten(reg: Reg, older: int) -> None:
    first, second = reg.p1, reg.p2
    if (first is None or first.serial <= older) and (second is None or second.serial <= older):
        return
    sources: dict[Reg, None] = {}
    seen: set[Reg] = set()
    work = [parent for parent in (first, second) if parent is not None]
    while work:
        parent = work.pop()
        if parent.serial <= older:
            sources[parent] = None
        elif parent not in seen:
            seen.add(parent)
            work.extend(each for each in (parent.p1, parent.p2) if each is not None)
    rest = list(sources)
    while len(rest) > 2:  # a tree of values that nobody has
        left, right = rest.pop(0), rest.pop(0)
        rest.append(Reg(RegKind.SCALAR, ANY, reg.serial, reg.pc, p1=left, p2=right))
    reg.p1 = rest[0] if rest else None
    reg.p2 = rest[1] if len(rest) > 1 else None
