"""What calling a function may do, whatever path it takes: move the packet, or sleep.

Linux verifies a global function by itself, so its callers rely on this alone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from beebox.isa.instruction import Call, CallKind, Instruction
from beebox.obj.model import ProgramSpec
from beebox.tables.helpers import HELPER_BY_NAME, HELPERS
from beebox.tables.kfuncs import KfuncFlags
from beebox.verifier.dynptrs.helpers import WRITES
from beebox.verifier.shape.cfg import Shape, function_ranges, kernel_function

_MOVING_KFUNCS: Final = frozenset({"bpf_xdp_pull_data"})
_DYNPTR_WRITE: Final = HELPER_BY_NAME["dynptr_write"].id
_PACKET_DYNPTRS: Final = frozenset({"bpf_dynptr_from_skb", "bpf_dynptr_from_skb_meta"})


def moves_packet(insn: Instruction | None) -> bool:
    """Whether the call may move the packet."""
    match insn:
        case Call(CallKind.HELPER, int(target)) if target in HELPERS:
            return HELPERS[target].changes_packet
        case _:
            row = kernel_function(insn)
            return row is not None and row.name in _MOVING_KFUNCS


def writes_dynptr(insn: Instruction | None) -> bool:
    """Whether the call writes through a dynptr, whose packet that may move. Linux does not ask."""
    row = kernel_function(insn)
    if row is not None:
        return row.name in WRITES
    return isinstance(insn, Call) and (insn.kind, insn.target) == (CallKind.HELPER, _DYNPTR_WRITE)


def makes_packet_dynptr(spec: ProgramSpec) -> bool:
    """Whether the program has dynptrs of packets that a write may move."""
    rows = map(kernel_function, spec.slots)
    return any(row is not None and row.name in _PACKET_DYNPTRS for row in rows)


def may_sleep(insn: Instruction | None) -> bool:
    """Whether the call may sleep."""
    match insn:
        case Call(CallKind.HELPER, int(target)) if target in HELPERS:
            return HELPERS[target].sleepable
        case _:
            row = kernel_function(insn)
            return row is not None and bool(row.flags & KfuncFlags.SLEEPABLE)


def functions_that(
    does: Callable[[Instruction | None], bool], spec: ProgramSpec, shape: Shape
) -> frozenset[int]:
    """The indices of the functions in which some call does it, or in those that they call."""
    slots = spec.slots
    found = {
        index
        for index, (start, end) in enumerate(function_ranges(shape, len(slots)))
        if any(does(insn) for insn in slots[start:end])
    }
    grown = bool(found)
    while grown:
        callers = {index for index, called in enumerate(shape.calls) if called & found}
        grown = not callers <= found
        found |= callers
    return frozenset(found)
