"""Where ways with different pointers meet: one program each, the same in every engine."""

from __future__ import annotations

import engines
import pytest

from beebox.obj.model import MapSpec
from beebox.tables.map_types import MapType

PACKETS = [bytes(14), bytes(range(1, 60)), b""]
MAPS = {**engines.MAPS, "other": MapSpec("other", MapType.HASH, 4, 8, 8)}

PARSE = """
r6 = *(u32 *)(r1 + 0)
r7 = *(u32 *)(r1 + 4)
r2 = r6
r2 += 14
r0 = 9
if r2 > r7 goto out
r8 = *(u8 *)(r6 + 0)
"""

PROGRAMS = {
    "packet_or_zero": (
        """
r3 = r6
if r8 == 0 goto j
r3 = 0
j:
*(u64 *)(r10 - 8) = r3
r0 = 1
if r3 == 0 goto out
r0 = 2
out:
exit
""",
        [2, 1, 9],
    ),
    "frame_or_number": (
        """
*(u64 *)(r10 - 24) = 3
r3 = r10
if r8 == 0 goto j
r3 = 5
j:
*(u64 *)(r10 - 16) = r3
r0 = 1
if r3 == 5 goto out
r3 = *(u64 *)(r10 - 16)
r0 = *(u64 *)(r3 - 24)
out:
exit
""",
        [3, 1, 9],
    ),
    "varying_frame_offset": (
        """
*(u64 *)(r10 - 8) = 3
*(u64 *)(r10 - 16) = 4
r3 = r10
r3 += -8
if r8 == 0 goto j
r3 += -8
j:
r0 = *(u64 *)(r3 + 0)
r8 &= 7
r3 = r10
r3 += -16
r3 += r8
*(u8 *)(r3 + 0) = 9
r5 = *(u64 *)(r10 - 16)
r0 += r5
out:
exit
""",
        [12, 2312, 9],
    ),
    "subprogram_returns_a_map_value": (
        """
r1 = r8
call find
if r0 == 0 goto none
*(u8 *)(r0 + 1) = 4
r0 = 1
exit
none:
r0 = 2
out:
exit
find:
*(u32 *)(r10 - 4) = r1
r2 = r10
r2 += -4
r1 = map[values] ll
call 1
exit
""",
        [1, 1, 9],
    ),
    "subprogram_returns_packet_or_zero": (
        """
r1 = r8
r2 = r6
call find
if r0 == 0 goto none
r0 = *(u8 *)(r0 + 1)
exit
none:
r0 = 2
out:
exit
find:
r0 = 0
if r1 == 0 goto +1
r0 = r2
exit
""",
        [2, 2, 9],
    ),
    "one_call_two_maps": (
        """
*(u32 *)(r10 - 4) = r8
r2 = r10
r2 += -4
r1 = map[other] ll
if r8 == 0 goto j
r1 = map[table] ll
j:
*(u64 *)(r10 - 16) = 77
r3 = r10
r3 += -16
r4 = 0
call 2
r0 = 1
out:
exit
""",
        [1, 1, 9],
    ),
    "packet_length": (
        """
r0 = r7
r0 -= r6
out:
exit
""",
        [14, 59, 9],
    ),
    "pointer_moves_in_a_loop": (
        """
r3 = r6
r4 = 0
r0 = 0
l:
r5 = r3
r5 += 1
if r5 > r7 goto out
r5 = *(u8 *)(r3 + 0)
r0 += r5
r3 += 1
r4 += 1
if r4 < 40 goto l
out:
exit
""",
        [0, 820, 9],
    ),
}


@pytest.fixture(params=PROGRAMS)
def case(request):
    text, verdicts = PROGRAMS[request.param]
    return engines.accepted(PARSE + text, MAPS), verdicts


def test_engines_agree(case):
    verified, verdicts = case
    outcome = engines.execute(verified, PACKETS)
    assert [verdict for verdict, _ in outcome.runs] == verdicts
    assert engines.interpret(verified, PACKETS) == outcome


@pytest.mark.linux
def test_linux_agrees(case):
    verified, _ = case
    packets = [packet for packet in PACKETS if packet]
    assert engines.linux(verified.spec, packets) == engines.execute(verified, packets)
