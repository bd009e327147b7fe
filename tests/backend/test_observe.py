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
from beebox.vm.observe import Observe, blocks, origins

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
        rows = (seen.verdict_pcs, seen.reason_pcs, seen.costs, seen.executed())
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
