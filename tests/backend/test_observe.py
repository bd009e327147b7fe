"""What a run writes down about itself: equal in both engines, and in step with the results."""

from __future__ import annotations

from pathlib import Path

import engines
import numpy as np
import pytest

from beebox import api
from beebox.userspace.captures import read_capture
from beebox.userspace.engines import Packets
from beebox.userspace.kernel import UserspaceKernel
from beebox.vm.observe import Observe, blocks, origins, place_of

EXAMPLES = Path(__file__).parents[2] / "examples"
PACKETS = 600


def packets(capture, lengths):
    count = len(lengths)
    return Packets(capture.data, capture.offsets[:count], lengths, capture.times_ns[:count])


def observed(source, engine, observe):
    spec = api.open_object(EXAMPLES / source)
    capture = read_capture(EXAMPLES / "capture.pcap")
    lengths = np.minimum(capture.lengths, 3520).astype(np.uint32)[:PACKETS]
    with UserspaceKernel(engine, observe=observe).load(spec) as live:
        (program,) = live.programs.values()
        verdicts, _ = program.run_packets(packets(capture, lengths))
        seen = program.observation
        rows = (seen.verdict_places, seen.reason_places, seen.costs, seen.executed())
        return verdicts, rows, program.report.require_accepted()


@pytest.mark.parametrize("source", ["firewall.py", "count.py"])
@pytest.mark.parametrize("observe", [Observe.ORIGINS, Observe.COSTS])
def test_both_engines_write_the_same(source, observe):
    verdicts, native, _ = observed(source, "jit", observe)
    expected, interpreted, _ = observed(source, "interpreter", observe)
    assert np.array_equal(verdicts, expected)
    for ours, theirs in zip(native, interpreted, strict=True):
        assert np.array_equal(ours, theirs)
    assert len(native[0]) == PACKETS


def test_costs_are_executed_instructions():
    _, (_, _, costs, executed), verified = observed("firewall.py", "jit", Observe.COSTS)
    assert int(costs.sum()) == int(executed.sum())
    assert executed[0] == PACKETS
    visited = [pc for pc, facts in enumerate(verified.regs) if facts is not None]
    assert sum(blocks(verified).values()) == sum(
        verified.spec.slots[pc] is not None for pc in visited
    )


def test_observing_changes_no_verdict():
    plain, _, _ = observed("firewall.py", "jit", Observe.ORIGINS)
    spec = api.open_object(EXAMPLES / "firewall.py")
    capture = read_capture(EXAMPLES / "capture.pcap")
    lengths = np.minimum(capture.lengths, 3520).astype(np.uint32)[:PACKETS]
    with UserspaceKernel().load(spec) as live:
        (program,) = live.programs.values()
        assert program.observation is None
        verdicts, _ = program.run_packets(packets(capture, lengths))
    assert np.array_equal(plain, verdicts)


def test_a_verdict_comes_from_behind_its_copies():
    text = "r6 = 1\nr2 = *(u32 *)(r1 + 12)\nif r2 == 1 goto out\nr6 = 2\nout:\nr0 = r6\nexit"
    verified = engines.accepted(text, {})
    assert origins(verified, verified.subprograms[0]) == {0, 3}


def test_records_end_where_the_room_ends():
    spec = api.open_object(EXAMPLES / "count.py")
    with UserspaceKernel(observe=Observe.ORIGINS).load(spec) as live:
        (program,) = live.programs.values()
        seen = program.observation
        program.test_run(bytes(64), repeat=seen.capacity + 5)
        assert seen.runs == seen.capacity
        seen.clear()
        assert seen.runs == 0


TAILS = """
.license "GPL"
.map next prog_array max_entries=4
.slot next 1 second
.section "xdp"
.globl first
first:
    r6 = *(u32 *)(r1 + 0)
    r2 = *(u32 *)(r1 + 4)
    r3 = r6
    r3 += 14
    if r3 > r2 goto short
    r3 = *(u8 *)(r6 + 0)
    r3 &= 1
    r2 = map[next] ll
    call bpf_tail_call#12
    r0 = 2
    exit
short:
    r0 = 0
    exit
.globl second
second:
    r2 = 0
    r2 += 1
    if r1 == 0 goto +0
    if r2 == 1 goto drop
    r0 = 3
    exit
drop:
    r0 = 1
    exit
"""


@pytest.mark.parametrize("engine", ["jit", "interpreter"])
def test_runs_that_go_on_in_another_program_are_noted_there(engine, tmp_path):
    path = tmp_path / "tails.s"
    path.write_text(TAILS)
    kernel = UserspaceKernel(engine, observe=Observe.COSTS)
    with kernel.load(api.open_object(path), programs=["first"]) as live:
        first, second = live.programs["first"], live.programs["second"]
        assert first.test_run(bytes(64)).retval == 2
        assert first.test_run(b"\1" + bytes(63)).retval == 1
        seen, other = first.observation, second.observation
        places = [place_of(place) for place in seen.verdict_places.tolist()]
        assert [mark for mark, _ in places] == [seen.mark, other.mark]
        assert seen.costs.tolist()[0] == 11
        assert int(seen.costs.sum()) == int(seen.executed().sum() + other.executed().sum())
        assert other.executed().any()
