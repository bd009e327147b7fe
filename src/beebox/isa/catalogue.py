"""Every instruction by its mnemonic, each form of it shown: for people who look one up.

Everything is derived from the instruction table through the codec, the disassembler and the
conformance groups.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from beebox.isa.codec import encode
from beebox.isa.conformance import group
from beebox.isa.disassembler import text
from beebox.isa.instruction import (
    AddrSpaceCast,
    Alu,
    Atomic,
    Call,
    CallKind,
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


@dataclass(frozen=True, slots=True)
class Form:
    """One shape of an instruction, with registers and numbers as an example."""

    assembly: str
    opcode: str  # the first byte, in hex
    bytes: str  # all of it
    group: str  # of RFC 9669; empty: Linux has it, the RFC does not


@dataclass(frozen=True, slots=True)
class Entry:
    """An instruction; ``since`` is the first Linux with it."""

    name: str
    kind: str
    since: str
    forms: tuple[Form, ...]


def catalogue() -> dict[str, Entry]:
    """Every instruction, by mnemonic."""
    entries = [*_arithmetic(), *_jumps(), *_memory(), *_atomics(), *_others()]
    return {entry.name: entry for entry in entries}


def _entry(name: str, kind: str, since: str, *insns: Instruction) -> Entry:
    forms = []
    for insn in insns:
        code = encode((insn,))
        known = group(insn)
        forms.append(
            Form(text(insn), f"{code[0]:#04x}", code.hex(" "), known.value if known else "")
        )
    return Entry(name, kind, since, tuple(forms))


def _arithmetic() -> Iterator[Entry]:
    for op in AluOp:
        row = op.value
        insns: list[Instruction] = []
        for wide in (True,) if row.wide_only else (True, False):
            if row.unary:
                insns.append(Alu(op, Reg.R1, 0, wide))
                continue
            insns.append(Alu(op, Reg.R1, Reg.R2, wide))
            if not row.sign_extends:
                insns.append(Alu(op, Reg.R1, 7, wide))
        yield _entry(row.mnemonic, "arithmetic", row.since, *insns)
    for name, swap in SWAPS.items():
        insns = [Swap(name, bits, Reg.R1) for bits in SWAP_BITS]
        yield _entry(name, "byte order", swap.since, *insns)
    casts = (AddrSpaceCast(Reg.R1, Reg.R2, 0, 1), AddrSpaceCast(Reg.R1, Reg.R2, 1, 0))
    yield _entry("addr_space_cast", "arithmetic", "6.9", *casts)


def _jumps() -> Iterator[Entry]:
    for op in JmpOp:
        insns = [JumpIf(op, Reg.R1, src, 5, wide) for wide in (True, False) for src in (Reg.R2, 7)]
        yield _entry(op.value.mnemonic, "jump", op.value.since, *insns)
    yield _entry("goto", "jump", "3.19", Jump(5))
    yield _entry("gotol", "jump", "6.6", Jump(5, long=True))
    yield _entry("may_goto", "jump", "6.9", MayGoto(5))


def _memory() -> Iterator[Entry]:
    loads = [Load(Reg.R1, Reg.R2, 4, size) for size in Size]
    yield _entry("load", "memory", "3.19", *loads)
    signed = [
        Load(Reg.R1, Reg.R2, 4, size, signed=True) for size in Size if size.value.signed_ctype
    ]
    yield _entry("load_signed", "memory", "6.6", *signed)
    stores = [Store(Reg.R1, 4, src, size) for size in Size for src in (Reg.R2, 7)]
    yield _entry("store", "memory", "3.19", *stores)
    narrow = [size for size in Size if size is not Size.DW]
    for name, mode in (("load_abs", Mode.ABS), ("load_ind", Mode.IND)):
        src = Reg.R0 if mode is Mode.ABS else Reg.R2
        packets = [LoadPacket(mode, size, src, 14) for size in narrow]
        yield _entry(name, "memory", "3.19", *packets)
    yield _entry("load_imm64", "memory", "3.19", LoadImm64(Reg.R1, 0x1122_3344_5566_7788))


def _atomics() -> Iterator[Entry]:
    for op in AtomicOp:
        sizes = list(Size) if op.value.narrow else [Size.W, Size.DW]
        insns = [Atomic(op, Reg.R1, 4, Reg.R2, size) for size in sizes]
        yield _entry(op.value.mnemonic, "atomic", op.value.since, *insns)


def _others() -> Iterator[Entry]:
    yield _entry("call", "call", "3.19", Call(CallKind.HELPER, 1), Call(CallKind.SUBPROG, 5))
    yield _entry("call_kfunc", "call", "5.13", Call(CallKind.KFUNC, 1))
    yield _entry("exit", "call", "3.19", Exit())
