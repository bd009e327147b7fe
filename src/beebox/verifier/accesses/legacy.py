"""Classic packet loads, ``LD_ABS`` and ``LD_IND``: bytes of the packet in R6, or the program ends.

Where the bytes lie outside the packet, the whole program ends with 0.
"""

from __future__ import annotations

from beebox.isa.instruction import LoadPacket
from beebox.tables.opcodes import Mode
from beebox.verifier.findings import Refusal
from beebox.verifier.path import Path
from beebox.verifier.reports.names import plain_name
from beebox.verifier.result import RegKind
from beebox.verifier.states import references

_CONTEXT_REGISTER = 6


def load(path: Path, insn: LoadPacket) -> None:
    """``R0 = packet bytes in host order``; R1-R5 are void after it."""
    type_ = path.spec.type.value
    if not type_.legacy_loads:
        raise Refusal(
            "legacy-load", path.pc, f"{type_.name} programs have no LD_ABS and LD_IND",
            kernel="BPF_LD_[ABS|IND] instructions not allowed for this program type",
        )  # fmt: skip
    context = path.read(_CONTEXT_REGISTER)
    what = "LD_ABS and LD_IND may end the program"
    references.require_none(path, what, kernel="BPF_LD_[ABS|IND]")
    if context.kind is not RegKind.CTX:
        raise Refusal(
            "legacy-load", path.pc, f"R6 must be the context here, but is {plain_name(context)}",
            kernel="at the time of BPF_LD_ABS|IND R6 != pointer to skb",
            values=(context,), reg=_CONTEXT_REGISTER,
        )  # fmt: skip
    if insn.mode is Mode.IND:
        path.read(insn.src)
    if context.off or not context.scalar.is_const or context.scalar.value:
        raise Refusal(
            "context-access", path.pc, "R6 no longer points to the start of the context",
            kernel=f"dereference of modified ctx ptr R6 off={context.off} disallowed",
            values=(context,), reg=_CONTEXT_REGISTER,
        )  # fmt: skip
    for number in range(1, 6):
        path.regs[number] = None
    path.regs[0] = path.unknown()
