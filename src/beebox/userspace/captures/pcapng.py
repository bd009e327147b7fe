"""Reading pcapng (draft-ietf-opsawg-pcapng): every section, interface and kind of packet block.

Blocks that hold no packets (names, statistics, custom ones) are stepped over. A simple packet has
no time of its own: it gets that of the packet before it.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from beebox.errors import CaptureError
from beebox.userspace.captures.columns import Columns
from beebox.userspace.captures.native import MAX_BLOCK_BYTES, NO_TIME, Status
from beebox.userspace.captures.packets import Capture, Interface
from beebox.userspace.captures.streams import Window

MAGIC: Final = b"\x0a\x0d\x0d\x0a"
MAX_INTERFACES: Final = 4096  # in one section
MAX_SECTIONS: Final = 1 << 16

_ORDER_MAGIC: Final = {b"\x4d\x3c\x2b\x1a": "<", b"\x1a\x2b\x3c\x4d": ">"}
_INTERFACE: Final = 1
_NANOSECONDS: Final = 1_000_000_000
_MAX_TIME: Final = 1 << 64
_LEAST_PACKET: Final = 16
_IF_NAME: Final = 2
_IF_TSRESOL: Final = 9
_IF_TSOFFSET: Final = 14
_STATUS_TEXT: Final = {
    Status.BAD_LENGTH: "a captured length that cannot be",
    Status.BAD_BLOCK: "a block length that cannot be",
    Status.BAD_TRAILER: "the block's length is not repeated at its end",
    Status.BAD_INTERFACE: "a packet of an interface that was not described",
}


@dataclass(frozen=True, slots=True)
class _Clock:
    """How an interface counts: ``base ** exponent`` units a second, from ``start`` seconds on."""

    base: int = 10
    exponent: int = 6
    start: int = 0

    def impossible(self, raw: npt.NDArray[np.uint64]) -> npt.NDArray[np.bool_]:
        """Which times are before 1970, or too late for 64 bits of nanoseconds."""
        units = self.base**self.exponent
        start = self.start * _NANOSECONDS
        least = -(start * units // _NANOSECONDS)  # the first one that is possible
        beyond = -((start - _MAX_TIME) * units // _NANOSECONDS)
        found = np.zeros(len(raw), dtype=np.bool_)
        if least > 0:
            found |= raw < np.uint64(least) if least < _MAX_TIME else True
        if beyond < _MAX_TIME:
            found |= raw >= np.uint64(beyond) if beyond > 0 else True
        return found

    def nanoseconds(self, raw: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
        """Times since 1970, where they are possible."""
        units = self.base**self.exponent
        start = self.start * _NANOSECONDS
        shift = np.uint64(start % _MAX_TIME)
        if _NANOSECONDS % units == 0:
            return raw * np.uint64(_NANOSECONDS // units) + shift
        if units % _NANOSECONDS == 0:
            return raw // np.uint64(units // _NANOSECONDS) + shift
        seconds, rest = np.divmod(raw, np.uint64(units))
        spare = max(0, self.exponent - 34)  # so that a fraction times 10^9 fits
        fraction = (rest >> np.uint64(spare)) * np.uint64(_NANOSECONDS)
        fraction >>= np.uint64(self.exponent - spare)
        return seconds * np.uint64(_NANOSECONDS) + fraction + shift


@dataclass(slots=True)
class _Section:
    """What a section has said so far."""

    order: str
    interfaces: tuple[Interface, ...] = ()
    clocks: tuple[_Clock, ...] = ()


def read_pcapng(window: Window) -> Iterator[Capture]:
    """The packets, a block at a time. Raises :exc:`CaptureError` behind what came before."""
    section = _section(window)
    packets, sections, last_ns = 0, 1, np.uint64(0)
    columns = Columns(window, least=_LEAST_PACKET, links=True)
    while True:
        if columns.count or columns.data is not window.data:
            columns = Columns(window, least=_LEAST_PACKET, links=True)
        status = columns.walk(
            "walk_pcapng",
            SWAP=int(section.order == ">"),
            KNOWN=len(section.interfaces),
            SNAPLEN=section.interfaces[0].snaplen if section.interfaces else 0,
        )
        found = columns.count
        if found:
            times_ns, columns.count = _times(columns, section, last_ns)
            if columns.count:
                last_ns = times_ns[-1]
                yield columns.capture(section.interfaces, times_ns, packets + 1)
                packets += columns.count
            if columns.count < found:
                raise _impossible(columns, window, packets)
        match status:
            case Status.FULL:
                pass
            case Status.MORE:
                if not window.refill():
                    if not window.rest:
                        return
                    raise _error("the file ends in a block", window, packets)
            case Status.LONG:
                _skip(window, section.order, packets)
            case Status.CONTROL:
                if window.bytes(4) == MAGIC:
                    sections += 1
                    if sections > MAX_SECTIONS:
                        raise _error(f"more than {MAX_SECTIONS} sections", window, packets)
                    section = _section(window)
                else:
                    _interface(window, section)
            case _:
                raise _error(_STATUS_TEXT[status], window, packets)


def _error(problem: str, window: Window, packets: int, *, at: int = 0) -> CaptureError:
    return CaptureError(problem, file=window.file, offset=window.offset + at, packet=packets + 1)


def _skip(window: Window, order: str, packets: int) -> None:
    """Pass over a block without packets that the window does not hold."""
    (size,) = struct.unpack_from(order + "I", window.bytes(8), 4)
    cut_off = _error(f"a block of {size} bytes, but the file ends in it", window, packets)
    unlike = _error(_STATUS_TEXT[Status.BAD_TRAILER], window, packets)
    if not window.skip(size - 4) or not window.want(4):
        raise cut_off
    (again,) = struct.unpack(order + "I", window.bytes(4))
    if again != size:
        raise unlike
    window.at += 4


def _section(window: Window) -> _Section:
    """The section header at this place, taken."""
    if not window.want(28):
        raise _place("the file ends in a section header", window)
    order = _ORDER_MAGIC.get(window.bytes(12)[8:])
    if order is None:
        raise _place("a section without a byte order", window, at=8)
    (major,) = struct.unpack(order + "H", window.bytes(14)[12:])
    if major != 1:
        raise _place(f"pcapng version {major}; only 1 is known", window, at=12)
    _control(window, order, least=28)
    return _Section(order)


def _interface(window: Window, section: _Section) -> None:
    """The interface description at this place, taken into the section."""
    order, offset = section.order, window.offset
    if len(section.interfaces) >= MAX_INTERFACES:
        raise _place(f"more than {MAX_INTERFACES} interfaces in a section", window)
    body = _control(window, order, least=20)
    link, _reserved, snaplen = struct.unpack_from(order + "HHI", body, 8)
    name, base, exponent, start = "", 10, 6, 0
    at, end = 16, len(body) - 4
    while at + 4 <= end:
        code, size = struct.unpack_from(order + "HH", body, at)
        at += 4
        if not code:
            break
        if size > end - at:
            problem = "an option that is longer than its block"
            raise CaptureError(problem, file=window.file, offset=offset + at)
        value = body[at : at + size]
        if code == _IF_NAME:
            name = value.rstrip(b"\0").decode(errors="replace")
        elif code == _IF_TSRESOL and size:
            base, exponent = (2 if value[0] & 0x80 else 10), value[0] & 0x7F
            if exponent > (63 if base == 2 else 19):
                problem = f"times in units of {base}^-{exponent} s"
                raise CaptureError(problem, file=window.file, offset=offset + at)
        elif code == _IF_TSOFFSET and size == 8:
            (start,) = struct.unpack(order + "q", value)
        at += (size + 3) & ~3
    section.interfaces += (Interface(link, snaplen, name, offset),)
    section.clocks += (_Clock(base, exponent, start),)


def _control(window: Window, order: str, *, least: int) -> bytes:
    """A whole block that says something, taken."""
    if not window.want(8):
        raise _place("the file ends in a block", window)
    (size,) = struct.unpack(order + "I", window.bytes(8)[4:])
    if size < least or size % 4 or size > MAX_BLOCK_BYTES:
        raise _place(f"a header block of {size} bytes", window, at=4)
    if not window.want(size):
        raise _place(f"a block of {size} bytes, but the file ends in it", window)
    body = window.bytes(size)
    if body[4:8] != body[-4:]:
        raise _place(_STATUS_TEXT[Status.BAD_TRAILER], window, at=size - 4)
    window.at += size
    return body


def _place(problem: str, window: Window, *, at: int = 0) -> CaptureError:
    return CaptureError(problem, file=window.file, offset=window.offset + at)


def _times(
    columns: Columns, section: _Section, last_ns: np.uint64
) -> tuple[npt.NDArray[np.uint64], int]:
    """Nanoseconds since 1970, by each interface's clock, and how many of them can be.

    ``last_ns`` is before the first.
    """
    raw, links = columns.times[: columns.count], columns.links
    assert links is not None
    links = links[: columns.count]
    timed = raw != NO_TIME
    out = np.zeros(columns.count, dtype=np.uint64)
    impossible = np.zeros(columns.count, dtype=np.bool_)
    used = np.unique(links[timed]).tolist() if len(section.interfaces) > 1 else [0]
    for number in used:
        mine = timed & (links == number)
        clock = section.clocks[number]
        impossible[mine] = clock.impossible(raw[mine])
        out[mine] = clock.nanoseconds(raw[mine])
    if not timed.all():
        before = np.maximum.accumulate(np.where(timed, np.arange(columns.count), -1))
        out = np.where(before >= 0, out[np.maximum(before, 0)], last_ns)
    count = int(np.argmax(impossible)) if impossible.any() else columns.count
    return out[:count], count


def _impossible(columns: Columns, window: Window, packets: int) -> CaptureError:
    """The time of the first packet that was not counted."""
    place = window.offset - window.at + int(columns.offsets[columns.count])
    problem = "a time that is out of range"
    return CaptureError(problem, file=window.file, offset=place, packet=packets + 1)
