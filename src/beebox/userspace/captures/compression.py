"""Compressed captures, found by their first bytes: gzip (RFC 1952) and zstd (RFC 8878).

Both are taken apart piece by piece: memory stays bounded whatever the data claims, and an error
names the byte of the compressed file. zstd needs ``beebox[zstd]`` or Python 3.14.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable, Iterator
from typing import IO, Final, Protocol

from beebox.errors import CaptureError, NotSupportedError
from beebox.userspace.captures.streams import ByteStream

_PIECE_BYTES: Final = 1 << 16
_OUT_BYTES: Final = 1 << 20
_BOMB_BYTES: Final = 1 << 30
_BOMB_RATIO: Final = 1000
_MAX_WINDOW_LOG: Final = 27  # what zstd itself takes without --long

GZIP_MAGIC: Final = b"\x1f\x8b"
ZSTD_MAGIC: Final = b"\x28\xb5\x2f\xfd"


def uncompressed(stream: ByteStream) -> ByteStream:
    """The stream itself, or what it holds in compressed form. Raises :exc:`CaptureError`."""
    reader = _Reader(stream)
    head = reader.peek(4)
    if head[:2] == GZIP_MAGIC:
        return _Expanded(reader, _gunzip(reader))
    if head == ZSTD_MAGIC or (head[1:] == b"\x2a\x4d\x18" and head[0] >> 4 == 5):
        return _Expanded(reader, _unzstd(reader, _zstd_frames()))
    return reader


class _Reader:
    """A stream from which bytes can also be taken in exact numbers, or looked at first."""

    def __init__(self, stream: ByteStream) -> None:
        self.file = stream.file
        self.total = stream.total
        self.stream = stream
        self.ahead = b""

    @property
    def done(self) -> int:
        return self.stream.done

    @property
    def offset(self) -> int:
        """The place in the file of the next byte to be taken."""
        return self.stream.done - len(self.ahead)

    def peek(self, size: int) -> bytes:
        """The next ``size`` bytes, or all there are."""
        while len(self.ahead) < size:
            more = self.piece()
            self.ahead += more
            if not more:
                break
        return self.ahead[:size]

    def piece(self) -> bytes:
        """Some more bytes from the stream itself."""
        buffer = bytearray(_PIECE_BYTES)
        return bytes(buffer[: self.stream.read_into(memoryview(buffer))])

    def take(self, size: int) -> bytes | None:
        """Exactly ``size`` bytes; None where the stream ends before."""
        if len(self.peek(size)) < size:
            return None
        taken, self.ahead = self.ahead[:size], self.ahead[size:]
        return taken

    def read_into(self, view: memoryview) -> int:
        if self.ahead:
            count = min(len(view), len(self.ahead))
            view[:count] = self.ahead[:count]
            self.ahead = self.ahead[count:]
            return count
        return self.stream.read_into(view)

    def ready(self) -> bool:
        return bool(self.ahead) or self.stream.ready()

    def close(self) -> None:
        self.stream.close()


class _Expanded:
    """What a compressed stream holds, as a stream."""

    def __init__(self, reader: _Reader, chunks: Iterator[bytes]) -> None:
        self.file = reader.file
        self.total = reader.total
        self.reader = reader
        self._chunks = chunks
        self._chunk = memoryview(b"")
        self._given = 0

    @property
    def done(self) -> int:
        return self.reader.done

    def read_into(self, view: memoryview) -> int:
        while not self._chunk:
            chunk = next(self._chunks, None)
            if chunk is None:
                return 0
            self._chunk = memoryview(chunk)
        count = min(len(view), len(self._chunk))
        view[:count] = self._chunk[:count]
        self._chunk = self._chunk[count:]
        self._given += count
        if self._given > _BOMB_BYTES and self._given > _BOMB_RATIO * self.done:
            problem = f"{self.done} bytes expand to more than {self._given}"
            raise CaptureError(problem, file=self.file, offset=self.reader.offset)
        return count

    def ready(self) -> bool:
        return bool(self._chunk) or self.reader.ready()

    def close(self) -> None:
        self.reader.close()


def _gunzip(reader: _Reader) -> Iterator[bytes]:
    """Every member of a gzip file; zeros may follow the last."""
    while True:
        member = zlib.decompressobj(wbits=31)
        while not member.eof:
            data = member.unconsumed_tail or reader.ahead or reader.piece()
            reader.ahead = b""
            if not data:
                raise CaptureError("the gzip data is cut off", file=reader.file, offset=reader.done)
            try:
                out = member.decompress(data, _OUT_BYTES)
            except zlib.error as cause:
                place = max(0, reader.done - len(data))
                problem = f"corrupt gzip data ({cause})"
                raise CaptureError(problem, file=reader.file, offset=place) from cause
            if out:
                yield out
        reader.ahead = member.unused_data
        while reader.peek(1) == b"\0":
            reader.ahead = reader.ahead.lstrip(b"\0")
        if not reader.ahead:
            return
        if reader.peek(2) != GZIP_MAGIC:
            raise CaptureError("no gzip data", file=reader.file, offset=reader.offset)


class _Frame(Protocol):
    def decompress(self, data: bytes, /) -> bytes: ...


def _zstd_frames() -> Callable[[], _Frame]:
    """What makes a decompressor for one frame. Raises :exc:`NotSupportedError`."""
    try:
        import zstandard  # noqa: PLC0415 -- an extra
    except ModuleNotFoundError:
        pass
    else:
        limit = 1 << _MAX_WINDOW_LOG
        return lambda: zstandard.ZstdDecompressor(max_window_size=limit).decompressobj()
    try:
        from compression import zstd  # type: ignore[import-not-found,unused-ignore]  # noqa: PLC0415 -- Python 3.14
    except ModuleNotFoundError:
        raise NotSupportedError("zstd", hint="pip install 'beebox[zstd]'") from None
    options = {zstd.DecompressionParameter.window_log_max: _MAX_WINDOW_LOG}
    return lambda: zstd.ZstdDecompressor(options=options)  # type: ignore[no-any-return,unused-ignore]  # unknown before 3.14


def _unzstd(reader: _Reader, new_frame: Callable[[], _Frame]) -> Iterator[bytes]:
    """Every frame of a zstd file, a block at a time: a block holds 128 KiB at most."""
    while reader.peek(1):
        start = reader.offset
        magic = _take(reader, 4)
        if magic[1:] == b"\x2a\x4d\x18" and magic[0] >> 4 == 5:
            size = int.from_bytes(_take(reader, 4), "little")
            while size:
                size -= len(_take(reader, min(size, _PIECE_BYTES)))
            continue
        if magic != ZSTD_MAGIC:
            raise CaptureError("no zstd frame", file=reader.file, offset=start)
        frame = new_frame()
        descriptor = _take(reader, 1)
        single, bits = descriptor[0] >> 5 & 1, descriptor[0] >> 6
        size = (1 - single) + (0, 1, 2, 4)[descriptor[0] & 3]
        size += (1 if single else 0, 2, 4, 8)[bits]
        yield _feed(reader, frame, magic + descriptor + _take(reader, size), start)
        last = False
        while not last:
            start = reader.offset
            header = _take(reader, 3)
            fields = int.from_bytes(header, "little")
            last, kind, size = bool(fields & 1), fields >> 1 & 3, fields >> 3
            if kind == 3 or (kind != 1 and size > 1 << 17):
                raise CaptureError("corrupt zstd block", file=reader.file, offset=start)
            yield _feed(reader, frame, header + _take(reader, 1 if kind == 1 else size), start)
        if descriptor[0] & 4:
            start = reader.offset
            yield _feed(reader, frame, _take(reader, 4), start)


def _take(reader: _Reader, size: int) -> bytes:
    taken = reader.take(size)
    if taken is None:
        raise CaptureError("the zstd data is cut off", file=reader.file, offset=reader.done)
    return taken


def _feed(reader: _Reader, frame: _Frame, data: bytes, offset: int) -> bytes:
    try:
        return frame.decompress(data)
    except Exception as cause:
        problem = f"corrupt zstd data ({cause})"
        raise CaptureError(problem, file=reader.file, offset=offset) from cause


def compressed(out: IO[bytes], suffix: str) -> IO[bytes]:
    """What is written there comes out as gzip (``.gz``), zstd (``.zst``) or as it is.

    Closing it ends the compressed data and leaves ``out`` open.
    """
    if suffix == ".gz":
        return gzip.GzipFile(filename="", fileobj=out, mode="wb", compresslevel=3, mtime=0)  # type: ignore[return-value]  # a binary file, too
    if suffix == ".zst":
        return _zstd_writer(out)
    return out


def _zstd_writer(out: IO[bytes]) -> IO[bytes]:
    try:
        import zstandard  # noqa: PLC0415 -- an extra
    except ModuleNotFoundError:
        pass
    else:
        writer: IO[bytes] = zstandard.ZstdCompressor().stream_writer(out, closefd=False)
        return writer
    try:
        from compression import zstd  # noqa: PLC0415 -- Python 3.14
    except ModuleNotFoundError:
        raise NotSupportedError("zstd", hint="pip install 'beebox[zstd]'") from None
    file: IO[bytes] = zstd.ZstdFile(out, mode="wb")
    return file
