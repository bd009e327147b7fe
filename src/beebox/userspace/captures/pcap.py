"""Reading pcap (draft-ietf-opsawg-pcap): both byte orders, micro- and nanoseconds."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final

from beebox.errors import CaptureError
from beebox.userspace.captures.columns import Columns
from beebox.userspace.captures.native import Status
from beebox.userspace.captures.packets import Capture, Interface
from beebox.userspace.captures.streams import Window

HEADER_BYTES: Final = 24
RECORD_BYTES: Final = 16
MAGIC: Final = {  # the first four bytes: byte order, nanoseconds per unit of the fraction
    b"\xd4\xc3\xb2\xa1": ("<", 1000),
    b"\xa1\xb2\xc3\xd4": (">", 1000),
    b"\x4d\x3c\xb2\xa1": ("<", 1),
    b"\xa1\xb2\x3c\x4d": (">", 1),
}


def read_pcap(window: Window) -> Iterator[Capture]:
    """The packets, a block at a time. Raises :exc:`CaptureError` behind what came before."""
    file = window.file
    if not window.want(HEADER_BYTES):
        raise CaptureError("the file ends in its header", file=file, offset=window.rest)
    header = window.bytes(HEADER_BYTES)
    order, unit_ns = MAGIC[header[:4]]
    major, _minor, _zone, _sigfigs, snaplen, link = struct.unpack(order + "HHiIII", header[4:])
    if major != 2:
        raise CaptureError(f"pcap version {major}; only 2 is known", file=file, offset=4)
    # Above the link type's 16 bits: the length of a frame check sequence.
    interfaces = (Interface(link & 0xFFFF, snaplen, offset=20),)
    window.at += HEADER_BYTES
    packets = 0
    while True:
        columns = Columns(window, least=RECORD_BYTES)
        status = columns.walk("walk_pcap", SWAP=int(order == ">"), UNIT=unit_ns)
        if columns.count:
            times_ns = columns.times[: columns.count]
            yield columns.capture(interfaces, times_ns, packets + 1)
            packets += columns.count
        match status:
            case Status.FULL:
                continue
            case Status.MORE:
                if window.refill():
                    continue
                if not window.rest:
                    return
                raise _cut_off(window, order, packets + 1)
            case _:
                captured, wire = struct.unpack(order + "II", window.bytes(RECORD_BYTES)[8:])
                problem = f"{captured} bytes captured of {wire}"
                place = window.offset + 8
                raise CaptureError(problem, file=file, offset=place, packet=packets + 1)


def _cut_off(window: Window, order: str, packet: int) -> CaptureError:
    left = window.rest - RECORD_BYTES
    if left < 0:
        problem = "the file ends in a record"
        return CaptureError(problem, file=window.file, offset=window.offset, packet=packet)
    (captured,) = struct.unpack_from(order + "I", window.bytes(RECORD_BYTES), 8)
    problem = f"{captured} bytes captured, but the file ends after {left}"
    place = window.offset + RECORD_BYTES
    return CaptureError(problem, file=window.file, offset=place, packet=packet)
