"""The conformance groups of RFC 9669, section 2.4: what a runtime must offer to run a program."""

from __future__ import annotations

from typing import assert_never

from beebox.isa.instruction import (
    AddrSpaceCast,
    Alu,
    Atomic,
    Call,
    Exit,
    Instruction,
    Jump,
    JumpIf,
    Load,
    LoadImm64,
    LoadPacket,
    MayGoto,
    Store,
    Swap,
)
from beebox.tables.opcodes import AtomicOp, Group, Size


def group(insn: Instruction) -> Group | None:
    """The group ``insn`` is in; None for what Linux has and the RFC does not."""
    match insn:
        case Alu(op, _, _, wide):
            if op.value.divmul:
                return Group.DIVMUL64 if wide else Group.DIVMUL32
            return Group.BASE64 if wide else Group.BASE32
        case Swap(_, bits):
            return Group.BASE64 if bits == 64 else Group.BASE32
        case LoadImm64():
            return Group.BASE64
        case Load(_, _, _, size, signed):
            return Group.BASE64 if signed or size is Size.DW else Group.BASE32
        case Store(_, _, _, size):
            return Group.BASE64 if size is Size.DW else Group.BASE32
        case LoadPacket():
            return Group.PACKET
        case Atomic(AtomicOp.LOAD_ACQUIRE | AtomicOp.STORE_RELEASE):
            return None
        case Atomic(size=size):
            return Group.ATOMIC64 if size is Size.DW else Group.ATOMIC32
        case JumpIf(wide=wide):
            return Group.BASE64 if wide else Group.BASE32
        case Jump() | Call() | Exit():
            return Group.BASE32
        case MayGoto() | AddrSpaceCast():
            return None
        case _:
            assert_never(insn)
