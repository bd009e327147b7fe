"""A C source through every engine: the example, packet by packet and map by map."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

import beebox
from beebox.backend import Map
from beebox.obj.globals import get_global
from beebox.userspace.captures import read_capture
from beebox.userspace.replay import replay

EXAMPLES = Path(__file__).parents[2] / "examples"
COUNTERS = ("protocols", "talkers")


def counters(maps: Mapping[str, Map]) -> dict[str, dict[bytes, tuple[int, ...]]]:
    """Packets and bytes by key, summed over CPUs, where there were any."""
    found = {}
    for name in COUNTERS:
        rows = {
            key: tuple(np.frombuffer(value, np.uint64).reshape(-1, 2).sum(axis=0).tolist())
            for key, value in maps[name].items()
        }
        found[name] = {key: row for key, row in rows.items() if row[0]}
    return found


def counted(source: str, engine: str) -> tuple[list[int], dict, bytes]:
    with beebox.load(EXAMPLES / source, engine=engine) as live:
        (program,) = live.programs.values()
        verdicts = replay(program, read_capture(EXAMPLES / "capture.pcap")).retvals.tolist()
        return verdicts, counters(live.maps), live.maps[".bss"].lookup(bytes(4))


@pytest.mark.parametrize("engine", ["jit", "interpreter"])
def test_c_counts_what_python_counts(engine: str):
    verdicts, maps, totals = counted("count.c", engine)
    assert (verdicts, maps) == counted("count.py", "jit")[:2]
    total, other = np.frombuffer(totals, np.uint64).tolist()
    assert total == len(verdicts)
    assert sum(row[0] for row in maps["protocols"].values()) == total - other


@pytest.mark.linux
def test_both_kernels_count_the_same():
    capture = read_capture(EXAMPLES / "capture.pcap")
    path = EXAMPLES / "count.c"
    with beebox.load(path) as ours, beebox.load(path, kernel="linux") as theirs:
        mine, other = ours.programs["count_packets"], theirs.programs["count_packets"]
        for packet in list(capture)[:1500]:
            assert mine.test_run(packet).retval == other.test_run(packet).retval
        assert counters(ours.maps) == counters(theirs.maps)
        assert ours.maps[".bss"].lookup(bytes(4)) == theirs.maps[".bss"].lookup(bytes(4))


def test_a_map_has_its_types():
    spec = beebox.open_object(EXAMPLES / "count.c")
    assert get_global(spec, "total") == 0
    assert spec.maps["talkers"].max_entries == 8192
