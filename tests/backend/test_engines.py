"""Every operation on boundary operands, in the interpreter, in native code and in Linux."""

from __future__ import annotations

import itertools
import struct

import engines
import pytest

from beebox.isa import semantics
from beebox.obj.model import MapSpec
from beebox.tables.map_types import MapFlags, MapType
from beebox.tables.opcodes import AluOp, JmpOp

U64 = (1 << 64) - 1
BOUNDARIES = (0, 1, 2, 31, 63, 64, 0x7F, 0x80, 0xFF, 0x8000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
WIDE = (*BOUNDARIES, 0x100000000, 0x7FFFFFFFFFFFFFFF, 0x8000000000000000, U64, U64 - 1)
PAIRS = [struct.pack("<QQ", a, b) + bytes(16) for a, b in itertools.product(WIDE, WIDE)]

FRAME = """
r6 = *(u32 *)(r1 + 0)
r7 = *(u32 *)(r1 + 4)
r8 = r6
r8 += 32
r0 = 0
if r8 > r7 goto out
r1 = *(u64 *)(r6 + 0)
r2 = *(u64 *)(r6 + 8)
{body}
out:
exit
"""


def _results(body: str, packets=PAIRS):
    """What each engine leaves at packet offset 16, which must be the same in all."""
    verified = engines.accepted(FRAME.format(body=body), {})
    native = engines.execute(verified, packets)
    assert engines.interpret(verified, packets) == native
    return verified, native


def _left(outcome):
    return [int.from_bytes(data[16:24], "little") for _, data in outcome.runs]


ALU_TEXT = {
    (op, wide): f"{'r' if wide else 'w'}1 {op.value.symbol} {'r' if wide else 'w'}2"
    for op in AluOp
    for wide in (True, False)
    if op.value.symbol.endswith("=") and op is not AluOp.NEG
}


@pytest.mark.linux
@pytest.mark.parametrize(("op", "wide"), ALU_TEXT, ids=lambda value: getattr(value, "name", value))
def test_arithmetic(op, wide):
    verified, outcome = _results(f"{ALU_TEXT[op, wide]}\n*(u64 *)(r6 + 16) = r1")
    bits = 64 if wide else 32
    pairs = itertools.product(WIDE, WIDE)
    assert _left(outcome) == [semantics.alu(op, a, b, bits) for a, b in pairs]
    few = PAIRS[::5]
    assert engines.linux(verified.spec, few).runs == outcome.runs[::5]


@pytest.mark.linux
@pytest.mark.parametrize("wide", [True, False], ids=["64", "32"])
@pytest.mark.parametrize("op", JmpOp, ids=lambda op: op.name)
def test_comparisons(op, wide):
    letter = "r" if wide else "w"
    body = f"r0 = 1\nif {letter}1 {op.value.symbol} {letter}2 goto out\nr0 = 2"
    verified, outcome = _results(body)
    bits = 64 if wide else 32
    expected = [
        1 if semantics.compare(op, a, b, bits) else 2 for a, b in itertools.product(WIDE, WIDE)
    ]
    assert [verdict for verdict, _ in outcome.runs] == expected
    assert engines.linux(verified.spec, PAIRS[::5]).runs == outcome.runs[::5]


UNARY = [
    *(f"r1 = {to}{bits} r1" for to in ("le", "be", "bswap") for bits in (16, 32, 64)),
    *(f"r1 = (s{bits})r2" for bits in (8, 16, 32)),
    *(f"w1 = (s{bits})w2" for bits in (8, 16)),
    "r1 = -r1",
    "w1 = -w1",
    *(f"r1 = *(s{bits} *)(r6 + {at})" for bits in (8, 16, 32) for at in (0, 3, 8)),
    *(f"r1 = *(u{bits} *)(r6 + {at})" for bits in (8, 16, 32, 64) for at in (0, 3, 8)),
    *(f"*(u{bits} *)(r6 + 1) = r2\nr1 = *(u64 *)(r6 + 0)" for bits in (8, 16, 32, 64)),
    *(f"*(u{bits} *)(r6 + 1) = -2\nr1 = *(u64 *)(r6 + 0)" for bits in (8, 16, 32, 64)),
    "r1 = 0x123456789abcdef0 ll",
    "r1 = r6\nr1 += 8\nr1 -= r6",
]
ATOMIC = [
    *(f"lock *(u64 *)(r10 - 8) {op} r2" for op in ("+=", "|=", "&=", "^=")),
    *(f"lock *(u32 *)(r10 - 8) {op} w2" for op in ("+=", "|=", "&=", "^=")),
    *(f"r2 = atomic_fetch_{op}((u64 *)(r10 - 8), r2)" for op in ("add", "or", "and", "xor")),
    *(f"w2 = atomic_fetch_{op}((u32 *)(r10 - 8), w2)" for op in ("add", "or", "and", "xor")),
    "r2 = xchg_64(r10 - 8, r2)",
    "w2 = xchg32_32(r10 - 8, w2)",
    "r0 = cmpxchg_64(r10 - 8, r0, r2)",
    "r0 = r1\nr0 = cmpxchg_64(r10 - 8, r0, r2)",
    "r0 = r1\nw0 = cmpxchg32_32(r10 - 8, w0, w2)",
]


@pytest.mark.linux
@pytest.mark.parametrize("text", UNARY)
def test_moves_and_memory(text):
    verified, outcome = _results(f"{text}\n*(u64 *)(r6 + 16) = r1", PAIRS[::3])
    assert engines.linux(verified.spec, PAIRS[::6]).runs == outcome.runs[::2]


@pytest.mark.linux
@pytest.mark.parametrize("text", ATOMIC)
def test_atomics(text):
    body = f"*(u64 *)(r10 - 8) = r1\n{text}\nr1 = *(u64 *)(r10 - 8)\n*(u64 *)(r6 + 16) = r1"
    verified, outcome = _results(f"{body}\n*(u64 *)(r6 + 24) = r2", PAIRS[::3])
    assert engines.linux(verified.spec, PAIRS[::6]).runs == outcome.runs[::2]


def test_stack_starts_zeroed_in_every_run():
    body = "r0 = *(u64 *)(r10 - 24)\n*(u64 *)(r10 - 24) = r1\nr3 = *(u64 *)(r10 - 40)\nr0 |= r3"
    _, outcome = _results(body, [b"\xff" * 32] * 3)
    assert [verdict for verdict, _ in outcome.runs] == [0, 0, 0]


def test_subprogram_gets_its_own_zeroed_frame_each_call():
    text = """
r6 = 0
call sub
r6 = r0
call sub
r0 += r6
exit
sub:
r0 = *(u64 *)(r10 - 8)
*(u64 *)(r10 - 8) = 5
r6 = 7
exit
"""
    verified = engines.accepted(text, {})
    outcome = engines.interpret(verified, [bytes(14)])
    assert outcome == engines.execute(verified, [bytes(14)])
    assert outcome.runs[0][0] == 0


def test_globals_are_reached_by_address():
    data = MapSpec(
        ".data", MapType.ARRAY, 4, 16, 1, MapFlags.MMAPABLE, contents=struct.pack("<QQ", 7, 9)
    )
    text = """
r1 = global[.data + 8] ll
r0 = *(u64 *)(r1 + 0)
r0 += 1
*(u64 *)(r1 + 0) = r0
exit
"""
    verified = engines.accepted(text, {".data": data})
    outcome = engines.interpret(verified, [bytes(14)] * 2)
    assert outcome == engines.execute(verified, [bytes(14)] * 2)
    assert [verdict for verdict, _ in outcome.runs] == [10, 11]
    assert outcome.maps[".data"] == ((bytes(4), struct.pack("<QQ", 7, 11)),)


def test_pointer_or_zero_merges_to_null():
    """One way gives a map value, the other 0: a null pointer after the join."""
    text = """
r6 = *(u32 *)(r1 + 0)
r7 = *(u32 *)(r1 + 4)
r2 = r6
r2 += 14
r0 = 5
if r2 > r7 goto leave
r8 = *(u8 *)(r6 + 0)
*(u32 *)(r10 - 4) = 1
r0 = 0
if r8 == 0 goto join
r2 = r10
r2 += -4
r1 = map[values] ll
call 1
join:
if r0 == 0 goto none
*(u8 *)(r0 + 3) = 4
r0 = 1
goto leave
none:
r0 = 2
leave:
exit
"""
    verified = engines.accepted(text)
    packets = [bytes(14), b"\1" * 14, b""]
    outcome = engines.execute(verified, packets)
    assert outcome == engines.interpret(verified, packets)
    assert [verdict for verdict, _ in outcome.runs] == [2, 1, 5]
