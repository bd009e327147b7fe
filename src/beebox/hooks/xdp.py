"""The XDP hook: what a program finds there, and what its verdicts are called.

A described hook, not a driven one: both engines of the userspace kernel prepare frames by it. The
numbers are those of BPF_PROG_TEST_RUN on Linux 6.18, where a frame arrives on the loopback device
in one page, its start 256 bytes in.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from beebox.tables.limits import XDP_LINEAR_BYTES
from beebox.tables.program_types import XdpAction

INGRESS_IFINDEX: Final = 1  # lo
RX_QUEUE_INDEX: Final = 0
EGRESS_IFINDEX: Final = 0

MIN_FRAME_BYTES: Final = 14  # ETH_HLEN: shorter frames never reach a program
LINEAR_BYTES: Final = XDP_LINEAR_BYTES
"""What a program sees of a frame, at most; the rest lies in fragments behind it."""
PAGE_BYTES: Final = 4096
MAX_PAGES: Final = 17  # MAX_SKB_FRAGS: behind the linear part
MAX_FRAME_BYTES: Final = LINEAR_BYTES + MAX_PAGES * PAGE_BYTES

VERDICTS: Final = MappingProxyType({action.value: action.name for action in XdpAction})


def room_of(longest: int) -> int:
    """Bytes of the pages that a frame of so many lies in: its last one has room to grow."""
    behind = max(longest - LINEAR_BYTES, 0)
    return LINEAR_BYTES + (behind + PAGE_BYTES - 1) // PAGE_BYTES * PAGE_BYTES


def verdict_name(retval: int) -> str:
    """What the kernel calls a return value; it takes unknown ones for ABORTED, we show them."""
    return VERDICTS.get(retval, f"UNKNOWN_{retval}")
