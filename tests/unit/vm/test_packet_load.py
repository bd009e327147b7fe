"""Where classic packet loads find their bytes; programs with them run in ``tests/backend``."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from beebox.vm.packet_load import address

SKB = SimpleNamespace(data=1014, len=50, network_header=1014, mac_header=1000)


@pytest.mark.parametrize(
    ("offset", "size", "found"),
    [
        (0, 4, 1014),
        (46, 4, 1060),
        (47, 4, None),
        (0x7FFFFFFF, 1, None),
        (-0x100000, 2, 1014),
        (-0x100000 + 49, 1, 1063),
        (-0x100000 + 50, 1, None),
        (-0x200000, 2, 1000),
        (-0x200000 + 63, 1, 1063),
        (-0x200000 + 64, 1, None),
        (-1, 1, None),
        (-0x1000, 1, None),
        (-0x200001, 1, None),
        (-0x80000000, 4, None),
    ],
)
def test_an_offset_counts_from_the_packet_or_from_a_header(offset, size, found):
    assert address(SKB, offset, size) == found


def test_headers_that_are_not_set_hold_nothing():
    bare = SimpleNamespace(data=1014, len=50, network_header=0, mac_header=0)
    assert address(bare, 0, 1) == 1014
    assert address(bare, -0x100000, 1) is None
    assert address(bare, -0x200000, 1) is None
