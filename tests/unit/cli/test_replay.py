"""How a replay ends: what came before a fault or Ctrl-C is not lost."""

from __future__ import annotations

import pytest

from beebox.cli.replay import _status, _UpToFault
from beebox.errors import CaptureError


def blocks(end):
    yield "first"
    yield "second"
    raise end


@pytest.mark.parametrize(
    ("end", "status"),
    [(CaptureError("cut off", file="x.pcap"), 2), (KeyboardInterrupt(), 130)],
)
def test_blocks_before_the_end_are_given(end, status):
    readable = _UpToFault(blocks(end))
    assert list(readable) == ["first", "second"]
    assert (readable.fault is end) == (status == 2)
    assert _status(readable, broken=True) == status


def test_other_errors_go_on():
    with pytest.raises(ZeroDivisionError):
        list(_UpToFault(blocks(ZeroDivisionError())))
