"""Abstract numbers: whatever is concretely possible stays inside, for every operation."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from beebox.isa import semantics
from beebox.tables.opcodes import AluOp, JmpOp
from beebox.verifier.numbers import branch, scalar, transfer
from beebox.verifier.numbers.scalar import ANY, EMPTY, S32_MAX, S32_MIN, S64_MAX, S64_MIN, U32, U64

_EDGES = [0, 1, 2, 7, 31, 32, 63, 64, 255, U32 >> 1, (U32 >> 1) + 1, U32, U32 + 1, U64 >> 1]
_EDGES += [(U64 >> 1) + 1, U64 - 1, U64, U64 - U32, 0x8000_0000_8000_0000]
numbers = st.one_of(
    st.sampled_from(_EDGES), st.integers(0, U64), st.integers(0, 64), st.integers(0, U32)
)
_SETTINGS = settings(max_examples=120, deadline=None)


@st.composite
def members(draw):
    """``(scalar, number)``, the number one of those that the scalar stands for."""
    number = draw(numbers)
    views = []
    for value, least, most in (
        (number, 0, U64),
        (scalar.s64(number), S64_MIN, S64_MAX),
        (number & U32, 0, U32),
        (scalar.s32(number), S32_MIN, S32_MAX),
    ):
        kind = draw(st.integers(0, 3))
        low = value - draw(st.integers(0, 300)) if kind & 1 else least
        high = value + draw(st.integers(0, 300)) if kind & 2 else most
        views += [max(low, least), min(high, most)]
    mask = draw(st.sampled_from([0, U64, U32, U64 ^ U32, 0xFF, 7])) | draw(numbers)
    return scalar.make(number & ~mask, mask, *views), number


def outside(result, number):
    """For failure messages."""
    return f"{number:#x} is not in {result!r}"


@given(members())
@_SETTINGS
def test_tightening_keeps_members(member):
    value, number = member
    assert value is not EMPTY
    assert scalar.contains(value, number), outside(value, number)


@pytest.mark.parametrize("wide", [True, False], ids=["64", "32"])
@pytest.mark.parametrize("op", list(AluOp), ids=lambda op: op.name)
@given(members(), members())
@_SETTINGS
def test_arithmetic_contains_the_concrete_result(op, wide, left, right):
    bits = 64 if wide else 32
    expected = semantics.alu(op, left[1], right[1], bits)
    result = transfer.alu(op, left[0], right[0], wide=wide)
    assert scalar.contains(result, expected), outside(result, expected)


@pytest.mark.parametrize("wide", [True, False], ids=["64", "32"])
@pytest.mark.parametrize("op", list(JmpOp), ids=lambda op: op.name)
@given(members(), members())
@_SETTINGS
def test_a_branch_keeps_its_operands(op, wide, left, right):
    outcome = branch.branch(op, left[0], right[0], wide=wide)
    taken = semantics.compare(op, left[1], right[1], 64 if wide else 32)
    assert outcome.taken in (None, taken)
    x, y = (outcome.x_jump, outcome.y_jump) if taken else (outcome.x_fall, outcome.y_fall)
    assert scalar.contains(x, left[1]), outside(x, left[1])
    assert scalar.contains(y, right[1]), outside(y, right[1])


@given(members(), st.sampled_from([1, 2, 4, 8]))
@_SETTINGS
def test_truncation_and_extension(member, size):
    value, number = member
    cut = number & ((1 << 8 * size) - 1)
    assert scalar.contains(transfer.truncate(value, size), cut)
    for wide in (True, False):
        extended = semantics.sign_extend(number, min(8 * size, 32), 64 if wide else 32)
        result = transfer.sign_extend(value, min(8 * size, 32), wide=wide)
        assert scalar.contains(result, extended), outside(result, extended)


@given(members(), st.sampled_from(["le", "be", "bswap"]), st.sampled_from([16, 32, 64]))
@_SETTINGS
def test_swap(member, to, bits):
    value, number = member
    result = transfer.swap(value, to, bits)
    expected = semantics.swap(to, bits, number)
    assert scalar.contains(result, expected), outside(result, expected)


@given(members(), members())
@_SETTINGS
def test_interning_and_inclusion(left, right):
    one, other = left[0], right[0]
    key = (one.value, one.mask, one.umin, one.umax, one.smin, one.smax)
    again = scalar.make(*key, one.u32_min, one.u32_max, one.s32_min, one.s32_max)
    assert scalar.subset(again, one)
    assert scalar.subset(one, one)
    assert scalar.subset(one, ANY)
    assert not scalar.subset(ANY, one) or one is ANY
    if scalar.subset(one, other) and scalar.subset(other, one):
        assert one is other
    assert scalar.const(left[1]) is scalar.const(left[1] + (1 << 64))
