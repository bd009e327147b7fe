"""Codec, assembler and disassembler over instructions and bytes that nobody wrote by hand."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from beebox.errors import AssemblyError, DecodeError
from beebox.isa.assembler import assemble
from beebox.isa.codec import decode, encode
from beebox.isa.disassembler import text
from beebox.isa.instruction import (
    AddrSpaceCast,
    Alu,
    Atomic,
    Call,
    CallKind,
    Exit,
    GlobalRef,
    Instruction,
    Jump,
    JumpIf,
    KfuncRef,
    KsymRef,
    Load,
    LoadImm64,
    LoadPacket,
    MapRef,
    MayGoto,
    PseudoImm64,
    Reg,
    Store,
    SubprogRef,
    Swap,
)
from beebox.isa.semantics import alu, compare, to_signed
from beebox.tables.opcodes import (
    ADDR_SPACE_CASTS,
    PSEUDOS,
    SWAP_BITS,
    SWAPS,
    AluOp,
    AtomicOp,
    JmpOp,
    Mode,
    Size,
)

regs = st.sampled_from(Reg)
offsets = st.integers(-(1 << 15), (1 << 15) - 1)
immediates = st.integers(-(1 << 31), (1 << 31) - 1)
names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)


@st.composite
def alus(draw: st.DrawFn) -> Alu:
    op = draw(st.sampled_from(AluOp))
    wide = op.value.wide_only or draw(st.booleans())
    if op.value.unary:
        return Alu(op, draw(regs), 0, wide)
    return Alu(op, draw(regs), draw(regs if op.value.sign_extends else regs | immediates), wide)


@st.composite
def atomics(draw: st.DrawFn) -> Atomic:
    op = draw(st.sampled_from(AtomicOp))
    size = draw(st.sampled_from(list(Size) if op.value.narrow else [Size.W, Size.DW]))
    return Atomic(op, draw(regs), draw(offsets), draw(regs), size)


@st.composite
def loads(draw: st.DrawFn) -> Load:
    size = draw(st.sampled_from(Size))
    signed = size is not Size.DW and draw(st.booleans())
    return Load(draw(regs), draw(regs), draw(offsets), size, signed)


@st.composite
def pseudos(draw: st.DrawFn) -> PseudoImm64:
    row = draw(st.sampled_from(list(PSEUDOS.values())))
    return PseudoImm64(row.src, draw(immediates), draw(immediates) if row.high else 0)


narrow = st.sampled_from([Size.B, Size.H, Size.W])
numeric: st.SearchStrategy[Instruction] = st.one_of(
    alus(),
    atomics(),
    loads(),
    st.builds(Swap, st.sampled_from(list(SWAPS)), st.sampled_from(SWAP_BITS), regs),
    st.sampled_from(list(ADDR_SPACE_CASTS.values())).flatmap(
        lambda spaces: st.builds(AddrSpaceCast, regs, regs, *map(st.just, spaces))
    ),
    st.builds(LoadImm64, regs, st.integers(0, (1 << 64) - 1) | pseudos()),
    st.builds(LoadPacket, st.just(Mode.ABS), narrow, st.just(Reg.R0), immediates),
    st.builds(LoadPacket, st.just(Mode.IND), narrow, regs, immediates),
    st.builds(Store, regs, offsets, regs | immediates, st.sampled_from(Size)),
    st.builds(Jump, offsets),
    st.builds(Jump, immediates, st.just(True)),
    st.builds(MayGoto, offsets),
    st.builds(JumpIf, st.sampled_from(JmpOp), regs, regs | immediates, offsets, st.booleans()),
    st.builds(Call, st.sampled_from([CallKind.HELPER, CallKind.SUBPROG]), immediates),
    st.builds(Call, st.just(CallKind.KFUNC), immediates, offsets),
    st.just(Exit()),
)
symbolic: st.SearchStrategy[Instruction] = st.one_of(
    st.builds(
        LoadImm64,
        regs,
        st.one_of(
            st.builds(MapRef, names),
            st.builds(GlobalRef, names, immediates),
            st.builds(SubprogRef, names),
            st.builds(KsymRef, names),
        ),
    ),
    st.builds(Call, st.just(CallKind.SUBPROG), st.builds(SubprogRef, names)),
    st.builds(Call, st.just(CallKind.KFUNC), st.builds(KfuncRef, names), offsets),
)


@given(st.lists(numeric, max_size=20))
def test_decode_is_the_inverse_of_encode(insns: list[Instruction]):
    assert decode(encode(insns)) == tuple(insns)


@given(numeric | symbolic)
def test_assemble_is_the_inverse_of_text(insn: Instruction):
    shown = text(insn)
    assert shown.isprintable()
    assert assemble(shown) == (insn,)


@given(st.lists(numeric | symbolic, max_size=20))
def test_a_listing_assembles_to_the_same_program(insns: list[Instruction]):
    assert assemble("\n".join(map(text, insns))) == tuple(insns)


@given(st.binary(max_size=200))
def test_decode_is_total_and_exact(data: bytes):
    try:
        insns = decode(data)
    except DecodeError:
        return
    assert encode(insns) == data


@given(st.lists(numeric, min_size=1, max_size=8), st.data())
def test_a_changed_bit_is_read_exactly_or_refused(insns: list[Instruction], data: st.DataObject):
    wire = bytearray(encode(insns))
    bit = data.draw(st.integers(0, len(wire) * 8 - 1))
    wire[bit // 8] ^= 1 << bit % 8
    try:
        changed = decode(bytes(wire))
    except DecodeError as error:
        assert 0 <= error.pc <= len(wire) // 8  # noqa: PT017 -- both outcomes are right
        return
    assert encode(changed) == wire
    assert changed != tuple(insns)


@given(st.text(max_size=80))
def test_the_assembler_is_total(source: str):
    try:
        assemble(source)
    except AssemblyError:
        return


WORDS = """
r0 r10 r11 w1 = += s/= - + * ( ) [ ] , # 5 0x10 ll if goto gotol may_goto call exit lock u32 s8
u64 map func global ksym skb pc be16 xchg_64 load_acquire kfunc name: name bpf_x store_release
addr_space_cast map_value " ; // : .text off
"""
pieces = st.sampled_from([*WORDS.split(), "\n"])


@given(st.lists(pieces, max_size=25).map(" ".join))
def test_the_assembler_is_total_on_its_own_words(source: str):
    try:
        insns = assemble(source)
    except AssemblyError as error:
        assert error.line >= 1  # noqa: PT017 -- both outcomes are right
        assert error.column >= 1  # noqa: PT017 -- both outcomes are right
        return
    assert assemble("\n".join(map(text, insns))) == insns


@pytest.mark.parametrize("bits", [32, 64])
@given(st.sampled_from(AluOp), st.integers(0, (1 << 64) - 1), st.integers(0, (1 << 64) - 1))
def test_results_fit_and_upper_halves_do_not_matter(bits: int, op: AluOp, dst: int, src: int):
    mask = (1 << bits) - 1
    result = alu(op, dst, src, bits)
    assert 0 <= result <= mask
    assert result == alu(op, dst & mask, src & mask, bits)


@pytest.mark.parametrize("bits", [32, 64])
@given(st.integers(0, (1 << 64) - 1), st.integers(0, (1 << 64) - 1))
def test_division_and_remainder_belong_together(bits: int, a: int, b: int):
    mask = (1 << bits) - 1
    quotient, remainder = alu(AluOp.SDIV, a, b, bits), alu(AluOp.SMOD, a, b, bits)
    assert (quotient * b + remainder - a) & mask == 0
    assert abs(to_signed(remainder, bits)) < abs(to_signed(b, bits)) or not b & mask


@pytest.mark.parametrize("bits", [32, 64])
@given(st.integers(0, (1 << 64) - 1), st.integers(0, (1 << 64) - 1))
def test_comparisons_agree_with_each_other(bits: int, a: int, b: int):
    for less, greater_equal in ((JmpOp.LT, JmpOp.GE), (JmpOp.SLT, JmpOp.SGE), (JmpOp.NE, JmpOp.EQ)):
        assert compare(less, a, b, bits) != compare(greater_equal, a, b, bits)
    assert compare(JmpOp.SLT, a, b, bits) == (to_signed(a, bits) < to_signed(b, bits))
    assert compare(JmpOp.GT, a, b, bits) == compare(JmpOp.LT, b, a, bits)


@given(st.integers(0, (1 << 32) - 1))
def test_wire_layout_is_little_endian_with_dst_in_the_low_nibble(imm: int):
    value = to_signed(imm, 32)
    wire = encode((Alu(AluOp.MOV, Reg.R3, value),))
    assert wire == struct.pack("<BBhi", 0xB7, 0x03, 0, value)
