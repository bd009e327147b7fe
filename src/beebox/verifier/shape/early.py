"""Functions that may end in their middle: by a tail call, or by a classic load past the packet.

A tail call that succeeds, and a load that fails, end the function they are in: the program where
that is the outermost one, else its caller goes on.
"""

from __future__ import annotations

from typing import Final

from beebox.btf.types import Btf, Enum, Func, FuncProto, Int, Modifier, Type, Typedef
from beebox.isa.instruction import Call, CallKind, Instruction, LoadPacket
from beebox.obj.model import ProgramSpec
from beebox.tables.helpers import HELPER_BY_NAME
from beebox.verifier.findings import Refusal

_MOST_MODIFIERS: Final = 32
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
    described = {info.pc: info.type_id for info in spec.functions}
    if spec.btf is None or start not in described or not all(described.values()):
        kernel = f"{what} is not allowed in subprogs without BTF"
        raise Refusal("early-end", pc, f"{what} in a subprogram without BTF", kernel=kernel)
    function = _type(spec.btf, described[start])
    proto = _type(spec.btf, function.type) if isinstance(function, Func) else None
    result = _type(spec.btf, proto.type) if isinstance(proto, FuncProto) else None
    for _ in range(_MOST_MODIFIERS):
        if isinstance(result, Typedef | Modifier):
            result = _type(spec.btf, result.type)
    if not isinstance(result, Int | Enum):
        raise Refusal(
            "early-end", pc, f"{what} in a subprogram that does not return a number",
            kernel=f"{what} is only allowed in functions that return 'int'.",
        )  # fmt: skip


def _type(btf: Btf, type_id: int) -> Type | None:
    """The type, None for void and for ids that BTF does not have."""
    return btf.types[type_id - 1] if 0 < type_id <= len(btf) else None
