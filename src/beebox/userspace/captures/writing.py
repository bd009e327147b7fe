"""Writing captures: pcap or pcapng, plain or compressed, as the file's name asks for."""

from __future__ import annotations

import struct
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Final, Self

import numpy as np
import numpy.typing as npt

from beebox.errors import CaptureError, InputError
from beebox.userspace.captures import native
from beebox.userspace.captures.compression import compressed
from beebox.userspace.captures.native import MAX_PACKET_BYTES
from beebox.userspace.captures.packets import LINKTYPE_ETHERNET, Capture

FORMATS: Final = (".pcap", ".pcapng")
COMPRESSIONS: Final = (".gz", ".zst")


def encode_capture(packets: Iterable[tuple[int, bytes]], *, nanoseconds: bool = True) -> bytes:
    """A little-endian pcap file of Ethernet frames, given with their times in nanoseconds."""
    unit_ns = 1 if nanoseconds else 1000
    parts = [_pcap_header(LINKTYPE_ETHERNET, nanoseconds=nanoseconds)]
    for time_ns, packet in packets:
        seconds, rest = divmod(time_ns, 1_000_000_000)
        size = len(packet)
        parts += [struct.pack("<IIII", seconds, rest // unit_ns, size, size), packet]
    return b"".join(parts)


def _pcap_header(link_type: int, *, nanoseconds: bool) -> bytes:
    magic = 0xA1B23C4D if nanoseconds else 0xA1B2C3D4
    return struct.pack("<IHHiIII", magic, 2, 4, 0, 0, MAX_PACKET_BYTES, link_type)
