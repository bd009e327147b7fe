"""The XDP hook's description."""

from beebox.hooks import xdp
from beebox.tables.program_types import XdpAction


def test_verdicts_are_the_kernel_names():
    assert [xdp.verdict_name(value) for value in range(5)] == [row.name for row in XdpAction]
    assert xdp.verdict_name(77) == "UNKNOWN_77"


def test_frames_grow_to_the_end_of_their_last_page():
    assert [xdp.room_of(size) for size in (0, 60, 3520)] == [3520] * 3
    assert [xdp.room_of(size) for size in (3521, 7616)] == [7616] * 2
    assert xdp.room_of(7617) == 11_712
