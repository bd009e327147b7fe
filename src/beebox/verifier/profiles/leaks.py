"""Pointers stay inside the program: the rules of the profiles that do not trust who loads it.

Linux's ``is_pointer_value`` checks of loads without CAP_PERFMON. With the profile ``kernel`` all
of this is allowed.
"""

from __future__ import annotations

from typing import Final

from beebox.isa.instruction import JumpIf
from beebox.isa.instruction import Reg as RegNumber
from beebox.tables.opcodes import JmpOp
from beebox.verifier.accesses.packet import ANY_PACKET
from beebox.verifier.findings import Refusal
from beebox.verifier.path import Path
from beebox.verifier.reports.names import plain_name
from beebox.verifier.result import RegKind
from beebox.verifier.states.value import Reg

_ORDERED: Final = (JmpOp.GT, JmpOp.GE, JmpOp.LT, JmpOp.LE)
_INTO: Final = {
    RegKind.MAP_VALUE: ("a map value", "map"),
    RegKind.MEM: ("memory that others read", "mem"),
    RegKind.CTX: ("the context", "ctx"),
    RegKind.PACKET: ("the packet", "packet"),
    RegKind.PACKET_META: ("the packet's metadata", "packet"),
    RegKind.FLOW_KEYS: ("the flow keys", "flow keys"),
}


def check(path: Path, value: Reg, number: int, where: str, *, kernel: str) -> None:
    """Refuse a pointer in R``number``: its bits would be in ``where``, which others see."""
    if value.kind is RegKind.SCALAR or path.allow_ptr_leaks:
        return
    raise Refusal(
        "pointer-leak", path.pc, f"R{number} holds {plain_name(value)}, which would be in {where}",
        kernel=kernel, values=(value,), reg=number,
    )  # fmt: skip


def refuse_struct(path: Path, base: Reg) -> None:
    """Refuse accesses to structs that BTF describes: without CAP_PERFMON, none is the program's."""
    if base.kind in (RegKind.BTF_ID, RegKind.MAP) and not base.nullable:
        name = base.type.name if base.type is not None else "bpf_map"
        raise Refusal(
            "loader", path.pc, f"only programs loaded with CAP_PERFMON may access struct {name}",
            kernel=f"'struct {name}' access is allowed only to CAP_PERFMON and CAP_SYS_ADMIN",
            values=(base,),
        )  # fmt: skip


def check_store(path: Path, base: Reg, value: Reg, source: object) -> None:
    """A store of a register: what is stored outside of the stack is no pointer."""
    if value.kind is RegKind.SCALAR or path.allow_ptr_leaks or base.nullable:
        return
    into = _INTO.get(base.kind)
    if into is not None and isinstance(source, RegNumber):
        where, name = into
        check(path, value, source, where, kernel=f"R{source} leaks addr into {name}")


def check_right(path: Path, insn: JumpIf, left: Reg, right: Reg) -> None:
    """The right operand of a comparison: no pointer, unless both point into the packet."""
    if path.allow_ptr_leaks or right.kind is RegKind.SCALAR:
        return
    if left.kind not in ANY_PACKET or right.kind not in ANY_PACKET:
        _refuse_comparison(path, right, int(insn.src))


def check_left(path: Path, insn: JumpIf, left: Reg, right: Reg) -> None:
    """The left operand of an undecided comparison: what may be NULL is compared with 0 alone.

    With the profile strict, so is any pointer, which tells of nothing.
    """
    if path.allow_ptr_leaks or left.kind is RegKind.SCALAR:
        return
    if distances(path, left, right):
        return
    if isinstance(insn.src, RegNumber):
        allowed = insn.op in _ORDERED and _bounds(left, right)
    else:
        null = insn.src == 0 and insn.op in (JmpOp.EQ, JmpOp.NE)
        allowed = null and (left.nullable or path.speculation is None)
    if not (allowed and insn.wide):
        _refuse_comparison(path, left, insn.dst)


def distances(path: Path, left: Reg, right: Reg) -> bool:
    """Whether the profile strict lets the program know how far two pointers are apart.

    Those into the packet: that tells of its length, not of where it is.
    """
    strict = path.speculation is None
    return strict and left.kind in ANY_PACKET and right.kind in ANY_PACKET


def _refuse_comparison(path: Path, value: Reg, number: int) -> None:
    raise Refusal(
        "pointer-comparison", path.pc,
        f"R{number} holds {plain_name(value)}: the way that the jump takes would tell of its bits",
        kernel=f"R{number} pointer comparison prohibited", values=(value,), reg=number,
    )  # fmt: skip


def _bounds(left: Reg, right: Reg) -> bool:
    """Whether one pointer is the end of what the other points into."""
    kinds = {left.kind, right.kind}
    if kinds == {RegKind.PACKET, RegKind.PACKET_END}:
        return True
    if kinds != {RegKind.PACKET_META, RegKind.PACKET}:
        return False
    data = left if left.kind is RegKind.PACKET else right
    return data.off == 0 and data.scalar.is_const and data.scalar.value == 0
