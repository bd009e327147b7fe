"""The instruction table against itself and against the kernel's uapi header, where installed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from beebox.isa.codec import encode
from beebox.isa.instruction import Alu, Call, CallKind, Exit, Jump, JumpIf, MayGoto, Reg, Swap
from beebox.tables.opcodes import (
    ALU_BY_CODE,
    ATOMIC_BY_IMM,
    JMP_BY_CODE,
    PSEUDOS,
    SIZE_BY_CODE,
    AluOp,
    AtomicOp,
    Class,
    JmpOp,
    Mode,
    Size,
)

HEADERS = (Path("/usr/include/linux/bpf.h"), Path("/usr/include/linux/bpf_common.h"))


@pytest.fixture(scope="module")
def uapi() -> dict[str, int]:
    """Every numeric ``#define BPF_X``."""
    missing = [str(path) for path in HEADERS if not path.exists()]
    if missing:
        pytest.skip(f"no {', '.join(missing)}")
    found: dict[str, int] = {}
    for path in HEADERS:
        for name, value in re.findall(
            r"#define\s+BPF_(\w+)\s+(0x[0-9a-f]+|\d+)\b", path.read_text()
        ):
            found[name] = int(value, 0)
    return found


def test_no_two_rows_share_an_encoding():
    assert len(ALU_BY_CODE) == len(AluOp)
    assert len(JMP_BY_CODE) == len(JmpOp)
    assert len(ATOMIC_BY_IMM) == len(AtomicOp)
    assert len(SIZE_BY_CODE) == len(Size)
    assert len({op.value.mnemonic for op in AluOp}) == len(AluOp)


def test_classes_modes_and_sizes(uapi: dict[str, int]):
    for member in (*Class, *Mode):
        if member.name in uapi:
            assert member == uapi[member.name]
    for size in Size:
        assert size.value.code == uapi[size.name]
    assert {"ALU64", "JMP32", "ABS", "IND", "MEM", "ATOMIC"} <= uapi.keys()


def test_operations(uapi: dict[str, int]):
    for op in AluOp:
        if op.value.offset == 0:
            assert op.value.code == uapi[op.name]
    for jump in JmpOp:
        assert jump.value.code == uapi[f"J{jump.name}"]
    assert uapi["FETCH"] | 0xE0 == AtomicOp.XCHG.value.imm
    assert all(bool(op.value.imm & uapi["FETCH"]) == op.value.fetch for op in AtomicOp)


def test_pseudo_sources(uapi: dict[str, int]):
    names = {1: "MAP_FD", 2: "MAP_VALUE", 3: "BTF_ID", 4: "FUNC", 5: "MAP_IDX", 6: "MAP_IDX_VALUE"}
    assert names.keys() == PSEUDOS.keys()
    for src, name in names.items():
        assert src == uapi[f"PSEUDO_{name}"]


@pytest.mark.parametrize(
    ("insn", "opcode"),
    [
        (Alu(AluOp.ADD, Reg.R1, Reg.R2), 0x0F),
        (Alu(AluOp.MOV, Reg.R1, 2, wide=False), 0xB4),
        (Swap("be", 16, Reg.R1), 0xDC),
        (Swap("bswap", 16, Reg.R1), 0xD7),
        (Jump(1), 0x05),
        (Jump(1, long=True), 0x06),
        (MayGoto(1), 0xE5),
        (JumpIf(JmpOp.SLE, Reg.R1, 0, 1, wide=False), 0xD6),
        (Call(CallKind.HELPER, 1), 0x85),
        (Exit(), 0x95),
    ],
)
def test_well_known_opcode_bytes(
    insn: Alu | Swap | Jump | MayGoto | JumpIf | Call | Exit, opcode: int
):
    assert encode((insn,))[0] == opcode
