"""The XDP hook's description."""

from beebox.hooks import xdp
from beebox.tables.program_types import XdpAction


def test_verdicts_are_the_kernel_names():
    assert [xdp.verdict_name(value) for value in range(5)] == [row.name for row in XdpAction]
    assert xdp.verdict_name(77) == "UNKNOWN_77"
