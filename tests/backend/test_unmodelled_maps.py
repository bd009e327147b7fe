"""Maps of kinds that the userspace kernel lacks stand in nobody's way but their users'."""

from __future__ import annotations

import pytest

from beebox import load
from beebox.errors import NotSupportedError
from beebox.obj.assembly.source import read_assembly

SPEC = read_assembly(
    """
.map rings ringbuf max_entries=4096
.map seen array key=4 value=8 max_entries=1
.section "xdp"
passes:
    w0 = 2
    exit
.section "?xdp"
asks:
    r1 = map[rings] ll
    r2 = 0
    call bpf_ringbuf_query
    w0 = 2
    exit
"""
)


def test_a_map_that_no_program_uses_is_left_out():
    with load(SPEC) as live:
        assert list(live.maps) == ["seen"]
        assert live.programs["passes"].test_run(bytes(64)).retval == 2


def test_a_map_that_a_program_uses_is_refused():
    with pytest.raises(NotSupportedError):
        load(SPEC, programs=["asks"])
