"""A child process with bounds: of time, of memory, of what it may say."""

from __future__ import annotations

import os
import selectors
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import IO, Final

from beebox.errors import InputError, NotSupportedError

SECONDS: Final = 120
MEMORY_BYTES: Final = 4 << 30
OUTPUT_BYTES: Final = 64 << 20
WORDS_BYTES: Final = 1 << 20
_BLOCK: Final = 1 << 16


@dataclass(frozen=True, slots=True)
class Ended:
    """How a process ended: its status (negative: the signal), what it wrote on both streams."""

    status: int
    output: bytes
    words: bytes


def run(
    command: Sequence[str],
    *,
    seconds: float = SECONDS,
    meanwhile: Callable[[], None] | None = None,
) -> Ended:
    """Run a command to its end, without a shell and without standard input.

    ``meanwhile`` is called once it runs. Words past ``WORDS_BYTES`` are dropped. Raises
    :exc:`InputError` when it takes longer than ``seconds`` or writes more than ``OUTPUT_BYTES``,
    :exc:`NotSupportedError` when it cannot start.
    """
    deadline = time.monotonic() + seconds
    try:
        child = subprocess.Popen(  # noqa: S603 -- a compiler found by name, no shell
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, "LC_ALL": "C"},  # messages that diagnostics.py can read
        )
    except OSError as cause:
        raise NotSupportedError(
            f"compiling C with {command[0]}", hint=f"it does not start: {cause.strerror}"
        ) from cause
    try:
        _limit_memory(child.pid)
        if meanwhile is not None:
            meanwhile()
        output, words = _read(child, command[0], deadline)
        status = child.wait(max(0.0, deadline - time.monotonic()))
    except subprocess.TimeoutExpired:
        raise _too_slow(command[0], seconds) from None
    finally:
        if child.poll() is None:
            child.kill()
        child.wait()
        for stream in (child.stdout, child.stderr):
            assert stream is not None
            stream.close()
    return Ended(status, output, words)


def _read(child: subprocess.Popen[bytes], name: str, deadline: float) -> tuple[bytes, bytes]:
    started = time.monotonic()
    assert child.stdout is not None
    assert child.stderr is not None
    streams: dict[IO[bytes], bytearray] = {child.stdout: bytearray(), child.stderr: bytearray()}
    with selectors.DefaultSelector() as selector:
        for stream in streams:
            selector.register(stream, selectors.EVENT_READ)
        while selector.get_map():
            left = deadline - time.monotonic()
            if left <= 0:
                raise _too_slow(name, deadline - started)
            for key, _ in selector.select(left):
                block = os.read(key.fd, _BLOCK)
                if not block:
                    selector.unregister(key.fileobj)
                elif key.fd == child.stderr.fileno():
                    said = streams[child.stderr]
                    said += block[: WORDS_BYTES - len(said)]
                else:
                    written = streams[child.stdout]
                    written += block
                    if len(written) > OUTPUT_BYTES:
                        raise InputError(f"{name}: writes more than {OUTPUT_BYTES >> 20} MiB")
    return bytes(streams[child.stdout]), bytes(streams[child.stderr])


def _too_slow(name: str, seconds: float) -> InputError:
    return InputError(f"{name}: not done after {seconds:.0f} seconds")


def _limit_memory(pid: int) -> None:
    """Bound the child's address space, where the system lets us: Linux alone does."""
    if sys.platform != "linux":
        return
    import resource  # noqa: PLC0415 -- not on every system

    try:
        _, hard = resource.prlimit(pid, resource.RLIMIT_AS)
        if hard == resource.RLIM_INFINITY or hard > MEMORY_BYTES:
            resource.prlimit(pid, resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    except (OSError, ValueError):  # ended already, or not ours to limit
        return
