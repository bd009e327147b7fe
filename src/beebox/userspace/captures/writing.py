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
_COMMENT: Final = 1  # opt_comment
_IF_TSRESOL: Final = 9
_USERAPPL: Final = 4  # shb_userappl


def encode_capture(packets: Iterable[tuple[int, bytes]], *, nanoseconds: bool = True) -> bytes:
    """A little-endian pcap file of Ethernet frames, given with their times in nanoseconds."""
    unit_ns = 1 if nanoseconds else 1000
    parts = [_pcap_header(nanoseconds=nanoseconds)]
    for time_ns, packet in packets:
        seconds, rest = divmod(time_ns, 1_000_000_000)
        size = len(packet)
        parts += [struct.pack("<IIII", seconds, rest // unit_ns, size, size), packet]
    return b"".join(parts)


class CaptureWriter:
    """A capture file of Ethernet frames under way; a context manager.

    The name's suffix chooses: ``.pcap`` or ``.pcapng``, ``.gz`` or ``.zst`` behind it; ``-`` is
    pcap on standard output. Times are nanoseconds. Raises :exc:`InputError` for another name,
    :exc:`CaptureError` for a file that cannot be written, :exc:`NotSupportedError` for zstd
    without its package.
    """

    def __init__(self, path: str | Path) -> None:
        self.file = "<stdout>" if str(path) == "-" else str(path)
        suffix, compression = _suffixes(str(path))
        self.packets = 0
        self._pcapng = suffix == ".pcapng"
        try:
            self._file: IO[bytes] = (
                sys.stdout.buffer if str(path) == "-" else Path(path).open("wb")  # noqa: SIM115 -- closed by close()
            )
            self._out = compressed(self._file, compression)
            self._write(_pcapng_header() if self._pcapng else _pcap_header(nanoseconds=True))
        except (OSError, ValueError) as cause:
            raise self._failed(cause) from cause

    def write(
        self,
        packets: Capture,
        comments: Sequence[str] = ("",),
        which: npt.NDArray[np.uint32] | None = None,
    ) -> None:
        """Append frames; in pcapng packet ``i`` has the comment ``comments[which[i]]``.

        Empty comments are not written; ``which`` None is the first for all.
        """
        count = len(packets)
        if not count:
            return
        if which is None:
            which = np.zeros(count, dtype=np.uint32)
        options = [_comment(text) for text in comments]
        ends = np.cumsum([0, *(len(option) for option in options)], dtype=np.uint64)
        most = max(len(option) for option in options)
        room = packets.total_bytes + count * (most + 40 if self._pcapng else 16) + 16
        out = np.empty(room, dtype=np.uint8)
        size, _ = native.call(
            "write_pcapng" if self._pcapng else "write_pcap",
            packets.data,
            COUNT=count,
            OFFSETS=np.ascontiguousarray(packets.offsets),
            LENGTHS=np.ascontiguousarray(packets.lengths),
            WIRES=np.ascontiguousarray(packets.wire_lengths),
            TIMES=np.ascontiguousarray(packets.times_ns),
            INTERFACES=np.zeros(count, dtype=np.uint32),
            OPTIONS=np.frombuffer(b"".join(options) + bytes(8), dtype=np.uint8),
            OPTION_ENDS=ends,
            OPTION_OF=np.ascontiguousarray(which, dtype=np.uint32),
            OUT=out,
        )
        try:
            self._write(out[:size].data)
        except OSError as cause:
            raise self._failed(cause) from cause
        self.packets += count

    def _write(self, data: bytes | memoryview) -> None:
        self._out.write(data)

    def close(self) -> None:
        """Finish the file; twice is harmless."""
        try:
            if self._out is not self._file:
                self._out.close()
            if self._file is sys.stdout.buffer:
                self._file.flush()
            else:
                self._file.close()
        except BrokenPipeError:
            raise
        except OSError as cause:
            raise self._failed(cause) from cause

    def _failed(self, cause: OSError | ValueError) -> CaptureError | BrokenPipeError:
        if isinstance(cause, BrokenPipeError):
            return cause
        reason = cause.strerror if isinstance(cause, OSError) and cause.strerror else str(cause)
        return CaptureError(reason, file=self.file)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def frames_of(packets: Capture, frames: Sequence[bytes]) -> Capture:
    """Other bytes for the same packets: their times and places stay."""
    lengths = np.array([len(frame) for frame in frames], dtype=np.uint32)
    ends = np.cumsum(lengths, dtype=np.uint64)
    grown = lengths.astype(np.int64) - packets.lengths.astype(np.int64)
    wires = np.maximum(packets.wire_lengths.astype(np.int64) + grown, lengths)
    return Capture(
        file=packets.file,
        data=np.frombuffer(b"".join(frames) + bytes(8), dtype=np.uint8),
        offsets=ends - lengths,
        lengths=lengths,
        wire_lengths=wires.astype(np.uint32),
        times_ns=packets.times_ns,
        first=packets.first,
        numbers=packets.numbers,
    )


def _suffixes(name: str) -> tuple[str, str]:
    """The format and the compression that a name asks for."""
    if name == "-":
        return ".pcap", ""
    path = Path(name)
    compression = path.suffix if path.suffix in COMPRESSIONS else ""
    suffix = path.with_suffix("").suffix if compression else path.suffix
    if suffix not in FORMATS:
        known = ", ".join(FORMATS)
        raise InputError(f"{name}: a capture's name ends in {known}, with .gz or .zst behind it")
    return suffix, compression


def _pcap_header(*, nanoseconds: bool) -> bytes:
    magic = 0xA1B23C4D if nanoseconds else 0xA1B2C3D4
    return struct.pack("<IHHiIII", magic, 2, 4, 0, 0, MAX_PACKET_BYTES, LINKTYPE_ETHERNET)


def _pcapng_header() -> bytes:
    section = struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1) + _option(_USERAPPL, b"beebox") + bytes(4)
    link = struct.pack("<HHI", LINKTYPE_ETHERNET, 0, MAX_PACKET_BYTES)
    link += _option(_IF_TSRESOL, b"\x09") + bytes(4)
    return _block(0x0A0D0D0A, section) + _block(1, link)


def _block(kind: int, body: bytes) -> bytes:
    size = struct.pack("<I", 12 + len(body))
    return struct.pack("<I", kind) + size + body + size


def _option(code: int, value: bytes) -> bytes:
    return struct.pack("<HH", code, len(value)) + value + bytes(-len(value) % 4)


def _comment(text: str) -> bytes:
    """The options of a packet with this comment."""
    return _option(_COMMENT, text.encode()[:60_000]) + bytes(4) if text else b""
