"""Reading captures block by block: any format, any compression, several files in order.

Nothing of a file is believed: lengths are checked against what is there, and memory stays bounded
whatever the file's size.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

from beebox.errors import CaptureError
from beebox.userspace.captures import pcap, pcapng
from beebox.userspace.captures.compression import uncompressed
from beebox.userspace.captures.packets import Capture, join
from beebox.userspace.captures.streams import (
    BLOCK_BYTES,
    ByteStream,
    FileStream,
    MemoryStream,
    Window,
)

MAX_WHOLE_BYTES: Final = 4 << 30


class Captures:
    """The packets of several files, in the order given, a block at a time.

    A path is a file, a pipe or ``-`` for standard input. Iterating reads; a second time starts
    again. ``done`` of ``total`` bytes of the files were read so far; ``total`` is None where a
    pipe is among them.
    """

    def __init__(self, paths: Sequence[str | Path], *, block_bytes: int = BLOCK_BYTES) -> None:
        self.paths = tuple(str(path) for path in paths)
        self._block_bytes = block_bytes
        self.dropped = 0  # a file's packets wait
        self._before = 0
        self._now: ByteStream | None = None

    @property
    def done(self) -> int:
        """Bytes read so far, as they lie in the files."""
        return self._before + (self._now.done if self._now is not None else 0)

    @property
    def total(self) -> int | None:
        """Bytes of all files."""
        sizes = [_size(path) for path in self.paths]
        return None if None in sizes else sum(size for size in sizes if size is not None)

    def __iter__(self) -> Iterator[Capture]:
        """Raises :exc:`CaptureError`, behind the packets that came before."""
        self._before = 0
        for path in self.paths:
            stream = FileStream(path)
            self._now = stream
            try:
                yield from blocks(stream, block_bytes=self._block_bytes)
            finally:
                stream.close()
            self._before += stream.done
            self._now = None


def _size(path: str) -> int | None:
    file = Path(path)
    try:
        return file.stat().st_size if path != "-" and file.is_file() else None
    except (OSError, ValueError):
        return None


def blocks(stream: ByteStream, *, block_bytes: int = BLOCK_BYTES) -> Iterator[Capture]:
    """The packets of one stream, a block at a time. Raises :exc:`CaptureError`."""
    window = Window(uncompressed(stream), block_bytes=block_bytes)
    window.want(4)
    packets = 0
    try:
        for block in _format(window)(window):
            packets += len(block)
            yield block
    except CaptureError as error:  # below the format no one knows of packets
        if error.packet is not None or not packets:
            raise
        raise CaptureError(
            error.problem, file=error.file, offset=error.offset, packet=packets + 1
        ) from error


def _format(window: Window) -> Callable[[Window], Iterator[Capture]]:
    magic = window.bytes(4)
    if magic == pcapng.MAGIC:
        return pcapng.read_pcapng
    if magic in pcap.MAGIC:
        return pcap.read_pcap
    problem = "empty, not a capture" if not magic else "neither a pcap nor a pcapng file"
    raise CaptureError(problem, file=window.file, offset=0)


def read_capture(path: str | Path) -> Capture:
    """A whole capture in memory. Raises :exc:`CaptureError`, for more than 4 GiB too."""
    stream = FileStream(path)
    try:
        return _whole(stream)
    finally:
        stream.close()


def parse_capture(data: bytes, *, file: str = "<capture>") -> Capture:
    """The capture in ``data``. Raises :exc:`CaptureError`."""
    return _whole(MemoryStream(data, file=file))


def _whole(stream: ByteStream) -> Capture:
    found: list[Capture] = []
    size = 0
    for block in blocks(stream):
        if not found or block.data is not found[-1].data:
            size += len(block.data)
        found.append(block)
        if size > MAX_WHOLE_BYTES:
            raise CaptureError(f"larger than {MAX_WHOLE_BYTES >> 30} GiB", file=stream.file)
    return join(found, file=stream.file)
