"""The meaning of every operation against the running kernel, many operands per program."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from itertools import product

import pytest

from beebox.isa.codec import encode
from beebox.isa.instruction import (
    Alu,
    Exit,
    Instruction,
    Jump,
    JumpIf,
    Load,
    LoadImm64,
    Reg,
    Store,
    Swap,
)
from beebox.isa.semantics import alu, compare, swap
from beebox.linux import attrs
from beebox.linux.syscall import Command, Fd, bpf
from beebox.tables.opcodes import SWAP_BITS, SWAPS, AluOp, JmpOp, Size

pytestmark = pytest.mark.linux

XDP = 6
VALUES = (
    *(0, 1, 2, 3, 7, 8, 31, 32, 33, 63, 64, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF),
    *(0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF, 0x1_0000_0000, 0x1_0000_0001, 0x1234_5678_9ABC_DEF0),
    *((1 << 63) - 1, 1 << 63, (1 << 63) + 1, (1 << 64) - 2, (1 << 64) - 1),
)
PAIRS = tuple(product(VALUES, VALUES))
IMMEDIATES = (0, 1, -1, 7, 31, 127, 128, -128, 0x7FFF_FFFF, -(1 << 31))
BASE = 64  # TEST_RUN wants a frame of 14 bytes or more


@pytest.mark.parametrize(
    ("op", "bits"),
    [(op, bits) for op in AluOp for bits in (32, 64) if bits == 64 or not op.value.wide_only],
    ids=lambda value: value.value.mnemonic if isinstance(value, AluOp) else str(value),
)
def test_alu_of_registers(op: AluOp, bits: int):
    bodies = [(Alu(op, Reg.R3, 0 if op.value.unary else Reg.R4, wide=bits == 64),) for _ in PAIRS]
    got = run(bodies, PAIRS)
    want = [alu(op, dst, src, bits) for dst, src in PAIRS]
    assert mismatches(got, want) == []


@pytest.mark.parametrize("bits", [32, 64])
@pytest.mark.parametrize(
    "op",
    [op for op in AluOp if not op.value.unary and not op.value.sign_extends],
    ids=lambda op: op.value.mnemonic,
)
def test_alu_with_an_immediate_that_is_sign_extended(op: AluOp, bits: int):
    cases = [
        (dst, imm)
        for dst, imm in product(VALUES, IMMEDIATES)
        if not (op.value.divmul and imm == 0)
        and (op not in (AluOp.LSH, AluOp.RSH, AluOp.ARSH) or 0 <= imm < bits)
    ]
    got = run([(Alu(op, Reg.R3, imm, bits == 64),) for _, imm in cases], [(a, 0) for a, _ in cases])
    assert mismatches(got, [alu(op, dst, imm, bits) for dst, imm in cases]) == []


@pytest.mark.parametrize("bits", [32, 64])
@pytest.mark.parametrize("op", JmpOp, ids=lambda op: op.value.mnemonic)
def test_comparisons(op: JmpOp, bits: int):
    body = (
        JumpIf(op, Reg.R3, Reg.R4, 2, bits == 64),
        Alu(AluOp.MOV, Reg.R3, 0),
        Jump(1),
        Alu(AluOp.MOV, Reg.R3, 1),
    )
    got = run([body] * len(PAIRS), PAIRS)
    assert mismatches(got, [int(compare(op, a, b, bits)) for a, b in PAIRS]) == []


@pytest.mark.parametrize("bits", SWAP_BITS)
@pytest.mark.parametrize("to", SWAPS)
def test_swaps(to: str, bits: int):
    got = run([(Swap(to, bits, Reg.R3),)] * len(VALUES), [(value, 0) for value in VALUES])
    assert mismatches(got, [swap(to, bits, value) for value in VALUES]) == []


def mismatches(got: Sequence[int], want: Sequence[int]) -> list[tuple[str, str]]:
    assert len(got) == len(want)
    return [(f"{a:#x}", f"{b:#x}") for a, b in zip(got, want, strict=True) if a != b]


def run(bodies: Sequence[Sequence[Instruction]], operands: Sequence[tuple[int, int]]) -> list[int]:
    """R3 after each body; R3 and R4 come out of the packet, so that nothing is folded."""
    packet = bytearray(BASE)
    for pair in operands:
        packet += struct.pack("<QQ", *pair)
    results: list[int] = []
    per_program = 100
    for at in range(0, len(bodies), per_program):
        chunk = bodies[at : at + per_program]
        start = BASE + at * 16
        data = bytes(BASE) + bytes(packet[start : start + 16 * len(chunk)])
        out = run_once(program(chunk, len(data)), data)
        results += [
            struct.unpack_from("<Q", out, BASE + 16 * index)[0] for index in range(len(chunk))
        ]
    return results


def program(bodies: Sequence[Sequence[Instruction]], size: int) -> bytes:
    insns: list[Instruction] = [
        Load(Reg.R6, Reg.R1, 0, Size.W),
        Load(Reg.R7, Reg.R1, 4, Size.W),
        Alu(AluOp.MOV, Reg.R8, Reg.R6),
        Alu(AluOp.ADD, Reg.R8, size),
        Alu(AluOp.MOV, Reg.R0, 2),
        JumpIf(JmpOp.LE, Reg.R8, Reg.R7, 1),
        Exit(),
    ]
    for index, body in enumerate(bodies):
        offset = BASE + 16 * index
        insns += [
            Load(Reg.R3, Reg.R6, offset, Size.DW),
            Load(Reg.R4, Reg.R6, offset + 8, Size.DW),
            *body,
            Store(Reg.R6, offset, Reg.R3, Size.DW),
            LoadImm64(Reg.R3, 0),  # forget the value: fewer states for the verifier to compare
        ]
    return encode([*insns, Exit()])


def run_once(code: bytes, data: bytes) -> bytes:
    fd = Fd(bpf(Command.PROG_LOAD, attrs.prog_load(XDP, code)), "program")
    try:
        attr = attrs.prog_test_run(fd.number, data, room_bytes=len(data) + 64)
        bpf(Command.PROG_TEST_RUN, attr)
        retval, out, *_ = attrs.prog_test_run_result(attr)
        assert retval == 2
        return out
    finally:
        fd.close()
