"""What the codec refuses, where it says so, and how long it takes."""

from __future__ import annotations

import struct
from time import perf_counter

import pytest

from beebox.errors import DecodeError, InternalError
from beebox.isa.codec import decode, encode
from beebox.isa.instruction import (
    Alu,
    Call,
    CallKind,
    Exit,
    GlobalRef,
    KfuncRef,
    KsymRef,
    LoadImm64,
    MapRef,
    PseudoImm64,
    Reg,
    SubprogRef,
    slots,
)
from beebox.tables.limits import MAX_INSNS
from beebox.tables.opcodes import AluOp

RETURN_2 = encode((Alu(AluOp.MOV, Reg.R0, 2), Exit()))


def wire(opcode: int, dst: int = 0, src: int = 0, offset: int = 0, imm: int = 0) -> bytes:
    return struct.pack("<BBhi", opcode, src << 4 | dst, offset, imm)


@pytest.mark.parametrize(
    "bad",
    [
        pytest.param(bytes(8), id="all zero"),
        pytest.param(wire(0x38, imm=4), id="packet load of 64 bits"),
        pytest.param(wire(0x99, 0, 1), id="signed load of 64 bits"),
        pytest.param(wire(0xB7, offset=8), id="movsx of an immediate"),
        pytest.param(wire(0xBC, 0, 1, offset=32), id="32-bit movsx32"),
        pytest.param(wire(0x87, imm=1), id="neg with an immediate"),
        pytest.param(wire(0x87, src=1), id="neg with a source"),
        pytest.param(wire(0x8F, 0, 1), id="neg of a register"),
        pytest.param(wire(0xD4, imm=17), id="swap of 17 bits"),
        pytest.param(wire(0xDF, imm=16), id="bswap with source X"),
        pytest.param(wire(0xCB, 1, 2), id="atomic add of 16 bits"),
        pytest.param(wire(0xDB, 1, 2, imm=0x10), id="unknown atomic"),
        pytest.param(wire(0x18, 1, 7) + bytes(8), id="unknown pseudo source"),
        pytest.param(wire(0x18, 1, 1) + wire(0, imm=1), id="map fd with an upper half"),
        pytest.param(wire(0x18, 1), id="half of a 16-byte load"),
        pytest.param(wire(0x18, 1) + wire(0xB7), id="second half with an opcode"),
        pytest.param(wire(0x85, src=3, imm=1), id="call of kind 3"),
        pytest.param(wire(0x85, offset=1, imm=1), id="helper call with an offset"),
        pytest.param(wire(0x8D, 1), id="callx"),
        pytest.param(wire(0x0D, 1), id="gotox"),
        pytest.param(wire(0xE5, imm=1), id="may_goto with an immediate"),
        pytest.param(wire(0xE6), id="32-bit may_goto"),
        pytest.param(wire(0xBF, 1, 2, 1, 7), id="cast between unknown spaces"),
        pytest.param(wire(0xB7, 11), id="r11"),
        pytest.param(wire(0xBF, 0, 11), id="source r11"),
        pytest.param(wire(0x95, offset=1), id="exit with an offset"),
        pytest.param(b"\xb7\0\0", id="three bytes"),
    ],
)
def test_refusals_name_the_place(bad: bytes):
    with pytest.raises(DecodeError) as caught:
        decode(RETURN_2 + bad)
    assert caught.value.pc == 2
    assert bad.hex().startswith(caught.value.data)


def test_pcs_count_slots():
    with pytest.raises(DecodeError) as caught:
        decode(wire(0x18, 1, 0, 0, 5) + bytes(8) + bytes(8))
    assert caught.value.pc == 2


def test_the_refused_opcodes_are_named():
    with pytest.raises(DecodeError, match="callx"):
        decode(wire(0x8D, 1))
    with pytest.raises(DecodeError, match="gotox"):
        decode(wire(0x0D, 1))


@pytest.mark.parametrize("value", [MapRef("m"), GlobalRef("g", 4), SubprogRef("f"), KsymRef("k")])
def test_symbolic_loads_do_not_encode(value: MapRef | GlobalRef | SubprogRef | KsymRef):
    with pytest.raises(InternalError):
        encode((LoadImm64(Reg.R1, value),))


def test_symbolic_calls_and_numbers_out_of_range_do_not_encode():
    for insn in (
        Call(CallKind.SUBPROG, SubprogRef("f")),
        Call(CallKind.KFUNC, KfuncRef("f")),
        Alu(AluOp.MOV, Reg.R1, 1 << 31),
    ):
        with pytest.raises(InternalError):
            encode((insn,))


def test_pseudo_loads_keep_their_two_halves():
    data = wire(0x18, 3, 6, 0, -1) + wire(0, imm=-2)
    assert decode(data) == (LoadImm64(Reg.R3, PseudoImm64(6, -1, -2)),)


def test_slots_give_16_byte_loads_two_places():
    insns = decode(wire(0x18, 1) + bytes(8) + RETURN_2)
    assert [insn is None for insn in slots(insns)] == [False, True, False, False]


def test_registers_and_numbers_are_different_operands():
    by_register, by_number = decode(wire(0xBF, 1, 2) + wire(0xB7, 1, 0, 0, 2))
    assert by_register != by_number
    assert Alu(AluOp.MOV, Reg.R1, Reg.R2) != Alu(AluOp.MOV, Reg.R1, 2)


def test_more_than_a_million_slots_are_refused_at_once():
    started = perf_counter()
    with pytest.raises(DecodeError, match=str(MAX_INSNS)):
        decode(RETURN_2 * (MAX_INSNS // 2 + 1))
    assert perf_counter() - started < 1
