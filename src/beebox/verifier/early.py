"""Functions that may end in their middle: by a tail call, or by a classic load past the packet.

A tail call that succeeds, and a load that fails, end the function they are in: the program where
that is the outermost one, else its caller goes on.
"""

from __future__ import annotations

from typing import Final

from beebox.btf.types import Enum, Func, FuncProto, Int, Modifier, Typedef
from beebox.isa.instruction import Call, CallKind, Instruction, LoadPacket
from beebox.obj.model import ProgramSpec
from beebox.tables.helpers import HELPER_BY_NAME
from beebox.verifier.findings import Refusal

_TAIL_CALL: Final = HELPER_BY_NAME["tail_call"].id


def is_tail_call(insn: Instruction | None) -> bool:
    """Whether it calls ``bpf_tail_call``."""
    return isinstance(insn, Call) and insn.kind is CallKind.HELPER and insn.target == _TAIL_CALL


def check_subprograms(spec: ProgramSpec, ranges: tuple[tuple[int, int], ...]) -> frozenset[int]:
    """The indices of functions with tail calls. Refuses subprograms that may not end early.

    Such a subprogram must return a number, and BTF must say so, since R0 may then come from
    elsewhere.
    """
    slots = spec.slots
    tail_calling = set()
    for index, (start, end) in enumerate(ranges):
        for pc in range(start, end):
            insn = slots[pc]
            called = is_tail_call(insn)
            if called:
                tail_calling.add(index)
            if index and (called or isinstance(insn, LoadPacket)):
                _require_number(spec, start, pc, "tail_call" if called else "LD_ABS")
    return frozenset(tail_calling)


def _require_number(spec: ProgramSpec, start: int, pc: int, what: str) -> None:
    btf = spec.btf
    type_id = next((info.type_id for info in spec.functions if info.pc == start), 0)
    if btf is None or not type_id or not all(info.type_id for info in spec.functions):
        kernel = f"{what} is not allowed in subprogs without BTF"
        raise Refusal("early-end", pc, f"{what} in a subprogram without BTF", kernel=kernel)
    row = btf.types[type_id - 1] if type_id <= len(btf.types) else None
    proto = btf.types[row.type - 1] if isinstance(row, Func) else None
    result = proto.type if isinstance(proto, FuncProto) else 0
    seen = 0
    while result and isinstance(found := btf.types[result - 1], Typedef | Modifier) and seen < 32:
        result, seen = found.type, seen + 1
    if not result or not isinstance(btf.types[result - 1], Int | Enum):
        raise Refusal(
            "early-end", pc, f"{what} in a subprogram that does not return a number",
            kernel=f"{what} is only allowed in functions that return 'int'.",
        )  # fmt: skip
