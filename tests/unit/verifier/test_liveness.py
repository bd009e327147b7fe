"""Live stack slots: what is counted; the verdicts are in tests/data/verifier/liveness.case."""

from __future__ import annotations

import time

import pytest

from beebox.isa.assembler import assemble
from beebox.isa.instruction import Jump
from beebox.obj.model import ProgramSpec
from beebox.tables.program_types import ProgramType
from beebox.verifier.options import Options
from beebox.verifier.pruning.liveness import SLOTS, slots_of
from beebox.verifier.verify import verify

_TWO_WAYS = """
r6 = *(u32 *)(r1 + 16)
*(u64 *)(r10 - 8) = r1
if r6 == 0 goto join
*(u64 *)(r10 - 8) = 0
join:
r0 = 0
r0 += 1
r0 += 1
r0 += 1
if r6 == 7 goto more
more:
if r6 == 8 goto read
read:
{read}
exit
"""
"""A slot that is a number on one way and a pointer on the other."""


@pytest.mark.parametrize(
    ("frame", "low", "high", "slots"),
    [
        (0, -8, 0, 1),
        (0, -8, -8, 0),
        (0, -4, 0, 1),
        (0, -16, -8, 2),
        (0, -12, -4, 3),
        (0, -512, 0, (1 << 64) - 1),
    ],
)
def test_slots(frame, low, high, slots):
    assert slots_of(frame, low, high) == slots
    assert slots_of(frame + 3, low, high) == slots << 3 * SLOTS


@pytest.mark.parametrize(
    ("read", "processed"),
    [
        ("r0 = *(u64 *)(r10 - 8)\nr0 = 0", 26),
        ("*(u64 *)(r10 - 8) = 3\nr0 = *(u64 *)(r10 - 8)\nr0 = 0", 25),
        ("r0 = 0", 21),
    ],
)
def test_only_live_slots_make_a_difference(read, processed):
    """Linux's numbers of processed instructions, too."""
    insns = tuple(assemble(_TWO_WAYS.format(read=read)))
    report = verify(ProgramSpec("slots", "xdp", ProgramType.XDP, insns, {}))
    assert report.accepted
    assert report.insns_processed == processed


@pytest.mark.parametrize(
    ("first", "last", "block", "back"),
    [
        ("r0 = 0", "exit", "r1 = 1", 2),
        (
            "*(u64 *)(r10 - 8) = r1\nr6 = *(u32 *)(r1 + 16)",
            "r0 = *(u64 *)(r10 - 8)\nr0 = 0\nexit",
            "*(u64 *)(r10 - 16) = 1\nif r6 == 77 goto +0",
            3,
        ),
    ],
)
def test_chains_of_jumps_back_take_no_longer_than_others(first, last, block, back):
    """What is live at the first instructions reaches each block from the one before."""
    blocks = 5000
    begin, end, middle = assemble(first), assemble(last), assemble(block)
    rest = [*end, *(insn for _ in range(blocks) for insn in (*middle, Jump(-2 * back)))]
    rest[len(end) + back - 1] = Jump(-back - len(end))
    insns = (*begin, Jump(len(rest) - back), *rest)
    deadline = time.monotonic_ns() + 4 * 10**9
    report = verify(
        ProgramSpec("chain", "xdp", ProgramType.XDP, tuple(insns), {}),
        Options(deadline_ns=deadline),
    )
    assert report.accepted or report.findings[0].code == "too-complex"
