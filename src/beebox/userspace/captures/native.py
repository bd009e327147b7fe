"""The native loops over captures (``userspace/source/captures.py``), with their arguments named.

Compiled once per machine and kept in the cache, as the maps' operations are.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum
from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from beebox.llvm import native, worker
from beebox.vm.memory import PROGRAM_SIGNATURE

MAX_PACKET_BYTES: Final = 262_144  # libpcap's MAXIMUM_SNAPLEN
MAX_BLOCK_BYTES: Final = 16 << 20  # of a pcapng block that must be understood
NO_TIME: Final = (1 << 64) - 1

_SOURCE: Final = Path(__file__).parents[1] / "source" / "captures.py"
_WORDS: Final = (
    "AT", "END", "COUNT", "CAPACITY", "OFFSETS", "LENGTHS", "WIRES", "TIMES", "INTERFACES",
    "SWAP", "UNIT", "KNOWN", "SNAPLEN", "KINDS", "OTHER", "OUT", "OUT_OFFSETS", "OUT_LENGTHS",
    "OUT_WIRES", "OPTIONS", "OPTION_ENDS", "OPTION_OF",
)  # fmt: skip


class Status(IntEnum):
    """Why a walk stopped."""

    MORE = 0  # inside a record: more of the file is needed
    FULL = 1  # no room for a packet
    BAD_LENGTH = 2  # a captured length that cannot be
    CONTROL = 3  # before a section's or an interface's header
    LONG = 4  # inside a block that has no packet
    BAD_BLOCK = 5  # a block length that cannot be
    BAD_TRAILER = 6  # the block's length is not repeated at its end
    BAD_INTERFACE = 7  # a packet of an interface that is not there


class LinkKind(IntEnum):
    """How a link's packets become Ethernet frames."""

    ETHERNET = 0
    RAW = 1  # an IP packet
    FAMILY = 2  # an address family in 4 bytes, then an IP packet
    COOKED = 3  # SLL: 16 bytes, an EtherType in the last two
    COOKED_2 = 4  # SLL2: 20 bytes, an EtherType in the first two


Argument = int | npt.NDArray[Any]


def call(name: str, data: npt.NDArray[np.uint8], **words: Argument) -> tuple[int, dict[str, int]]:
    """The result of a loop over ``data``, and AT and COUNT after it. Arrays go by address."""
    state = np.zeros(len(_WORDS), dtype=np.uint64)
    for word, value in words.items():
        state[_WORDS.index(word)] = value if isinstance(value, int) else value.ctypes.data
    result = int(_functions()[name](state.ctypes.data, data.ctypes.data))
    return result, {"AT": int(state[0]), "COUNT": int(state[2])}


@cache
def _functions() -> dict[str, Callable[..., Any]]:
    constants = {word: 8 * number for number, word in enumerate(_WORDS)}
    constants |= {status.name: status.value for status in Status}
    constants |= {kind.name: kind.value for kind in LinkKind}
    constants |= {"MAX_PACKET": MAX_PACKET_BYTES, "MAX_BLOCK": MAX_BLOCK_BYTES}
    names = ("walk_pcap", "walk_pcapng", "frame", "differ", "write_pcap", "write_pcapng")
    compiled = worker.compile_native_for(b"captures", lambda: _lower(constants))
    exports = [f"captures_{name}" for name in names]
    code = native.link(compiled, imports={}, exports=exports)
    return {name: code.function(f"captures_{name}", *PROGRAM_SIGNATURE) for name in names}


def _lower(constants: dict[str, int]) -> str:
    from beebox.compiler import frontend  # noqa: PLC0415 -- code from the cache needs none
    from beebox.compiler import native as lowering  # noqa: PLC0415 -- the same

    return lowering.lower(frontend.analyze_native(_SOURCE, constants=constants), prefix="captures_")
