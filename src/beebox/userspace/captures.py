"""Packet captures in the pcap format: read whole into one buffer, indexed by arrays.

Reads microsecond and nanosecond files in both byte orders (draft-ietf-opsawg-pcap). Nothing of the
file is believed: lengths are checked against the file, and memory is bounded by its size.
"""

from __future__ import annotations

import stat
import struct
from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from beebox.errors import CaptureError

LINKTYPE_ETHERNET: Final = 1
MAX_PACKET_BYTES: Final = 262_144  # libpcap's MAXIMUM_SNAPLEN
MAX_FILE_BYTES: Final = 4 << 30

_HEADER_BYTES: Final = 24
_RECORD_BYTES: Final = 16
_MAGIC: Final = {  # the first four bytes: byte order, nanoseconds per unit of the fraction
    b"\xd4\xc3\xb2\xa1": ("<", 1000),
    b"\xa1\xb2\xc3\xd4": (">", 1000),
    b"\x4d\x3c\xb2\xa1": ("<", 1),
    b"\xa1\xb2\x3c\x4d": (">", 1),
}
_PCAPNG: Final = b"\x0a\x0d\x0d\x0a"
_LINK_NAMES: Final = {0: "BSD loopback", 101: "raw IP", 113: "Linux cooked", 127: "802.11 radiotap"}


@dataclass(frozen=True, eq=False)
class Capture:
    """Packets in the order of the file. Packet ``i`` is ``data[offsets[i]:][:lengths[i]]``.

    ``lengths`` are captured bytes; ``wire_lengths`` what was on the wire, more where packets were
    snapped. ``times_ns`` counts from 1970.
    """

    file: str
    data: npt.NDArray[np.uint8]
    offsets: npt.NDArray[np.uint64]
    lengths: npt.NDArray[np.uint32]
    wire_lengths: npt.NDArray[np.uint32]
    times_ns: npt.NDArray[np.uint64]

    def __len__(self) -> int:
        return len(self.offsets)

    def packet(self, index: int) -> bytes:
        """The captured bytes of one packet."""
        start = int(self.offsets[index])
        return self.data[start : start + int(self.lengths[index])].tobytes()

    def __iter__(self) -> Iterator[bytes]:
        return (self.packet(index) for index in range(len(self)))

    @property
    def total_bytes(self) -> int:
        """The captured bytes of all packets."""
        return int(self.lengths.sum(dtype=np.uint64))


def read_capture(path: str | Path) -> Capture:
    """The capture in a file. Raises :exc:`CaptureError`."""
    file = str(path)
    try:
        status = Path(path).stat()
        if not stat.S_ISREG(status.st_mode):
            raise CaptureError("not a regular file", file=file)
        if status.st_size > MAX_FILE_BYTES:
            raise CaptureError(f"larger than {MAX_FILE_BYTES >> 30} GiB", file=file)
        data = np.fromfile(path, dtype=np.uint8)
    except (OSError, ValueError) as cause:
        reason = cause.strerror if isinstance(cause, OSError) and cause.strerror else str(cause)
        raise CaptureError(reason, file=file) from cause
    return parse_capture(data, file=file)


def parse_capture(data: bytes | npt.NDArray[np.uint8], *, file: str = "<capture>") -> Capture:
    """The capture in ``data``, which it keeps. Raises :exc:`CaptureError`."""
    content = np.frombuffer(data, dtype=np.uint8) if isinstance(data, bytes) else data
    view = content.data
    order, unit_ns = _header(view, file)
    record = struct.Struct(order + "IIII")
    end = len(view)
    at = _HEADER_BYTES
    columns = array("Q"), array("Q"), array("Q"), array("Q")  # 32 bytes for a record's 16
    offsets, lengths, wire_lengths, times_ns = columns
    while at < end:
        packet = len(offsets)
        if end - at < _RECORD_BYTES:
            raise CaptureError("the file ends in a record", file=file, offset=at, packet=packet)
        seconds, fraction, captured, wire = record.unpack_from(view, at)
        at += _RECORD_BYTES
        if captured > MAX_PACKET_BYTES or captured > wire:
            problem = f"{captured} bytes captured of {wire}"
            raise CaptureError(problem, file=file, offset=at - 8, packet=packet)
        if captured > end - at:
            problem = f"{captured} bytes captured, but the file ends after {end - at}"
            raise CaptureError(problem, file=file, offset=at, packet=packet)
        offsets.append(at)
        lengths.append(captured)
        wire_lengths.append(wire)
        times_ns.append(seconds * 1_000_000_000 + fraction * unit_ns)
        at += captured
    rows = [np.array(column, dtype=np.uint64) for column in columns]
    return Capture(
        file=file,
        data=content,
        offsets=rows[0],
        lengths=rows[1].astype(np.uint32),
        wire_lengths=rows[2].astype(np.uint32),
        times_ns=rows[3],
    )


def _header(view: memoryview, file: str) -> tuple[str, int]:
    """The byte order and the nanoseconds per unit of a time's fraction."""
    magic = bytes(view[:4])
    if magic == _PCAPNG:
        problem = "a pcapng file; write it as pcap (editcap -F pcap IN OUT)"
        raise CaptureError(problem, file=file)
    if magic not in _MAGIC or len(view) < _HEADER_BYTES:
        raise CaptureError("not a pcap file", file=file, offset=0)
    order, unit_ns = _MAGIC[magic]
    major, _minor = struct.unpack_from(order + "HH", view, 4)
    if major != 2:
        raise CaptureError(f"pcap version {major}; only 2 is known", file=file, offset=4)
    (link,) = struct.unpack_from(order + "I", view, 20)
    link &= 0xFFFF  # above: the length of a frame check sequence
    if link != LINKTYPE_ETHERNET:
        name = _LINK_NAMES.get(link, "unknown")
        problem = f"link type {link} ({name}); XDP programs need Ethernet frames"
        raise CaptureError(problem, file=file, offset=20)
    return order, unit_ns


def encode_capture(packets: Iterable[tuple[int, bytes]], *, nanoseconds: bool = True) -> bytes:
    """A little-endian pcap file of Ethernet frames, given with their times in nanoseconds."""
    magic, unit_ns = (0xA1B23C4D, 1) if nanoseconds else (0xA1B2C3D4, 1000)
    parts = [struct.pack("<IHHiIII", magic, 2, 4, 0, 0, MAX_PACKET_BYTES, LINKTYPE_ETHERNET)]
    for time_ns, packet in packets:
        seconds, rest = divmod(time_ns, 1_000_000_000)
        size = len(packet)
        parts += [struct.pack("<IIII", seconds, rest // unit_ns, size, size), packet]
    return b"".join(parts)
