"""Where a capture's bytes come from: files, standard input, memory; and the window over them.

Nothing is read before it is needed, and no more is kept than a window holds.
"""

from __future__ import annotations

import io
import os
import select
import stat
from pathlib import Path
from typing import Final, Protocol

import numpy as np
import numpy.typing as npt

from beebox.errors import CaptureError

BLOCK_BYTES: Final = 4 << 20
_SLACK_BYTES: Final = 16
_WAIT_MS: Final = 20  # for more of a pipe, once there is something to work on
_STDIN: Final = 0


class ByteStream(Protocol):
    """Bytes in order. Of the file, ``done`` of ``total`` bytes were read; None: no one knows."""

    @property
    def file(self) -> str:
        """What errors call it."""
        ...

    @property
    def done(self) -> int:
        """Bytes of the file read so far."""
        ...

    @property
    def total(self) -> int | None:
        """Bytes of the file, where it has an end that is known."""
        ...

    def read_into(self, view: memoryview) -> int:
        """Fill some of the front of ``view``; the number of bytes, 0 at the end."""
        ...

    def ready(self) -> bool:
        """Whether more comes at once."""
        ...

    def close(self) -> None:
        """Give up what it reads from."""
        ...


class FileStream:
    """A file, a pipe, a device, or ``-``: standard input. Raises :exc:`CaptureError`."""

    def __init__(self, path: str | Path) -> None:
        self.file = "<stdin>" if str(path) == "-" else str(path)
        self.done = 0
        try:
            if str(path) == "-":
                self._raw = io.FileIO(_STDIN, "rb", closefd=False)
            else:
                self._raw = io.FileIO(str(path), "rb")
            status = os.fstat(self._raw.fileno())
        except (OSError, ValueError) as cause:
            raise self._failed(cause) from cause
        self._regular = stat.S_ISREG(status.st_mode)
        self.total: int | None = status.st_size if self._regular else None

    def read_into(self, view: memoryview) -> int:
        """As :class:`ByteStream`."""
        try:
            count = self._raw.readinto(view)
            while count is None:  # a pipe that another process made non-blocking
                self._wait(None)
                count = self._raw.readinto(view)
        except OSError as cause:
            raise self._failed(cause) from cause
        self.done += count
        return count

    def ready(self) -> bool:
        """As :class:`ByteStream`; a pipe is given a moment."""
        return self._regular or self._wait(_WAIT_MS)

    def _wait(self, milliseconds: int | None) -> bool:
        poll = select.poll()
        poll.register(self._raw, select.POLLIN)
        return bool(poll.poll(milliseconds))

    def close(self) -> None:
        """As :class:`ByteStream`."""
        self._raw.close()

    def _failed(self, cause: OSError | ValueError) -> CaptureError:
        reason = cause.strerror if isinstance(cause, OSError) and cause.strerror else str(cause)
        return CaptureError(reason, file=self.file)


class MemoryStream:
    """Bytes that are there."""

    def __init__(self, data: bytes, *, file: str) -> None:
        self.file = file
        self.done = 0
        self.total: int | None = len(data)
        self._data = memoryview(data)

    def read_into(self, view: memoryview) -> int:
        """As :class:`ByteStream`."""
        part = self._data[self.done : self.done + len(view)]
        view[: len(part)] = part
        self.done += len(part)
        return len(part)

    def ready(self) -> bool:
        """Always."""
        return True

    def close(self) -> None:
        """Nothing to give up."""


class Window:
    """The part of a stream that is being read: ``data[at:end]`` is not taken yet.

    A refill makes a new buffer, so that what was found in the old one stays. Behind ``end`` some
    bytes may be read, never used.
    """

    def __init__(self, stream: ByteStream, *, block_bytes: int = BLOCK_BYTES) -> None:
        self.stream = stream
        self.data: npt.NDArray[np.uint8] = np.empty(0, dtype=np.uint8)
        self.at = 0
        self.end = 0
        self._base = 0
        self._fault: CaptureError | None = None
        self._block_bytes = block_bytes

    @property
    def file(self) -> str:
        """What the stream is called."""
        return self.stream.file

    @property
    def offset(self) -> int:
        """The place of ``data[at]`` in the (uncompressed) stream."""
        return self._base + self.at

    @property
    def rest(self) -> int:
        """How many bytes are there."""
        return self.end - self.at

    def bytes(self, size: int) -> bytes:
        """``size`` bytes from here on, or as many as the window has."""
        return self.data[self.at : min(self.at + size, self.end)].tobytes()

    def refill(self) -> bool:
        """Read on; False at the end of the stream. What was not taken is kept."""
        if self._fault is not None:
            raise self._fault
        rest = self.rest
        size = max(self._block_bytes, 2 * rest)
        data = np.empty(size + _SLACK_BYTES, dtype=np.uint8)
        data[:rest] = self.data[self.at : self.end]
        view = data.data[:size]
        end = rest
        while end < size:
            try:
                count = self.stream.read_into(view[end:])
            except CaptureError as fault:
                if end == rest:
                    raise
                self._fault = fault  # behind what came before it
                break
            end += count
            if not count or not self.stream.ready():
                break
        self._base += self.at
        self.data, self.at, self.end = data, 0, end
        return end > rest

    def want(self, size: int) -> bool:
        """Have ``size`` bytes from here on; False where the stream ends before."""
        while self.rest < size:
            if not self.refill():
                return False
        return True

    def skip(self, size: int) -> bool:
        """Pass over ``size`` bytes, whatever their number; False where the stream ends before."""
        while size > self.rest:
            size -= self.rest
            self.at = self.end
            if not self.refill():
                return False
        self.at += size
        return True
