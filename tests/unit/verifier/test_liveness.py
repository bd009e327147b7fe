"""Live stack slots: what is counted; the verdicts are in tests/data/verifier/liveness.case."""

from __future__ import annotations

import pytest

from beebox.isa.assembler import assemble
from beebox.obj.model import ProgramSpec
from beebox.tables.program_types import ProgramType
from beebox.verifier.liveness import SLOTS, slots_of
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
