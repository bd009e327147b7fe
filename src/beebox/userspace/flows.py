"""Flow keys: what a flow dissector leaves, for one frame and for all frames of a replay."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from beebox.tables.limits import FLOW_KEYS_BYTES

if TYPE_CHECKING:
    from beebox.userspace.replay import Batch

KEYS: Final = np.dtype(
    [
        ("nhoff", "<u2"),
        ("thoff", "<u2"),
        ("addr_proto", "<u2"),
        ("is_frag", "u1"),
        ("is_first_frag", "u1"),
        ("is_encap", "u1"),
        ("ip_proto", "u1"),
        ("n_proto", ">u2"),
        ("sport", ">u2"),
        ("dport", ">u2"),
        ("addresses", "V32"),  # IPv4: source and destination in the first 8 bytes
        ("flags", "<u4"),
        ("flow_label", ">u4"),
    ]
)
"""``struct bpf_flow_keys``."""
FLAGS_AT: Final = 48
ETHERNET_BYTES: Final = 14

assert KEYS.itemsize == FLOW_KEYS_BYTES


def clamp(keys: npt.NDArray[np.void], lengths: npt.NDArray[np.uint32]) -> None:
    """Bring both offsets back into their frames, as Linux does behind every run."""
    most = lengths.astype(np.uint16)
    keys["nhoff"] = np.minimum(np.maximum(keys["nhoff"], ETHERNET_BYTES), most)
    keys["thoff"] = np.minimum(np.maximum(keys["thoff"], keys["nhoff"]), most)


@dataclass(frozen=True, slots=True, order=True)
class FlowKind:
    """What a flow dissector made of a packet: protocol numbers, and its verdict's name."""

    n_proto: int
    ip_proto: int
    verdict: str


class Flows:
    """An observer of a replay: packets by what the flow dissector made of them."""

    wants_frames = False

    def __init__(self) -> None:
        self._counts: Counter[FlowKind] = Counter()

    def see(self, batch: Batch) -> None:
        """Count one batch."""
        if batch.keys is None:
            return
        keys = batch.keys[batch.ran]
        columns = [keys["n_proto"], keys["ip_proto"], batch.retvals[batch.ran]]
        rows = np.stack([column.astype(np.uint32) for column in columns], axis=1)
        kinds, counts = np.unique(rows, axis=0, return_counts=True)
        for (n_proto, ip_proto, value), count in zip(kinds.tolist(), counts.tolist(), strict=True):
            kind = FlowKind(n_proto, ip_proto, batch.hook.verdict_name(value))
            self._counts[kind] += count

    def counts(self) -> list[tuple[FlowKind, int]]:
        """Packets by kind, the most first."""
        return sorted(self._counts.items(), key=lambda row: (-row[1], row[0]))
