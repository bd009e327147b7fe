"""Which rows of ``tables.opcodes`` a program uses: one key per row, operand kind and width."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

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
    Reg,
    Store,
    Swap,
)
from beebox.tables.opcodes import SWAP_BITS, SWAPS, AluOp, AtomicOp, JmpOp, Mode, Size


def rows(insns: Iterable[Instruction]) -> set[str]:
    """The keys that the instructions have."""
    return {key(insn) for insn in insns}


def key(insn: Instruction) -> str:
    """One instruction's."""
    match insn:
        case Alu(op, _, src, wide):
            kind = "" if op.value.unary else " reg" if isinstance(src, Reg) else " imm"
            return f"{op.value.mnemonic}{64 if wide else 32}{kind}"
        case Swap(to, bits):
            return f"{to}{bits}"
        case LoadImm64(_, value):
            return "lddw" if isinstance(value, int) else "lddw pseudo"
        case Load(_, _, _, size, signed):
            return f"ldx{'s' if signed else ''} {size.value.mnemonic}"
        case LoadPacket(mode, size):
            return f"{mode.name} {size.value.mnemonic}"
        case Store(_, _, src, size):
            return f"{'stx' if isinstance(src, Reg) else 'st'} {size.value.mnemonic}"
        case Atomic(op, size=size):
            return f"{op.value.mnemonic} {size.value.mnemonic}"
        case Jump(_, long):
            return "gotol" if long else "goto"
        case JumpIf(op, _, src, _, wide):
            kind = "reg" if isinstance(src, Reg) else "imm"
            return f"{op.value.mnemonic}{64 if wide else 32} {kind}"
        case Call(kind):
            return f"call {kind.name.lower()}"
        case MayGoto():
            return "may_goto"
        case AddrSpaceCast():
            return "addr_space_cast"
        case Exit():
            return "exit"


def all_rows() -> set[str]:
    """Every key that the tables allow."""
    found = {"lddw", "lddw pseudo", "goto", "gotol", "may_goto", "addr_space_cast", "exit"}
    found |= {"call helper", "call subprog", "call kfunc", *_alu(), *_memory()}
    found |= {f"{to}{bits}" for to in SWAPS for bits in SWAP_BITS}
    for op in JmpOp:
        found |= {f"{op.value.mnemonic}{bits} {kind}" for bits in (32, 64) for kind in KINDS}
    return found


KINDS = ("reg", "imm")


def _alu() -> Iterator[str]:
    for op in AluOp:
        kinds = [""] if op.value.unary else [" reg"] if op.value.sign_extends else [" reg", " imm"]
        for bits in (64,) if op.value.wide_only else (32, 64):
            yield from (f"{op.value.mnemonic}{bits}{kind}" for kind in kinds)


def _memory() -> Iterator[str]:
    for size in Size:
        name = size.value.mnemonic
        yield from (f"ldx {name}", f"stx {name}", f"st {name}")
        if size.value.signed_ctype is not None:
            yield f"ldxs {name}"
            yield from (f"{mode.name} {name}" for mode in (Mode.ABS, Mode.IND))
        for op in AtomicOp:
            if op.value.narrow or size in (Size.W, Size.DW):
                yield f"{op.value.mnemonic} {name}"
