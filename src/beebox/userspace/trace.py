"""The trace log: what programs print, kept in a buffer of fixed size that says when it was full.

Native code appends records (``source/trace.py`` has their layout), and so does the interpreter
through :func:`print_message`; :class:`TraceLog` reads them.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from beebox.vm.memory import Buffer, Runtime

CAPACITY_BYTES: Final = 1 << 20
MAX_TEXT_BYTES: Final = 1023  # MAX_BPRINTF_BUF without its NUL
MAX_WIDTH: Final = 9999  # Linux takes more; nobody prints them
EINVAL: Final = 22

_RECORD: Final = struct.Struct("<IIQ")
_ARGUMENTS: Final = 3
_U64: Final = (1 << 64) - 1


@dataclass(frozen=True, slots=True)
class TraceRecord:
    """One printed message; bytes that are not UTF-8 are shown escaped."""

    time_ns: int
    cpu: int
    text: str


class TraceLog:
    """The buffer of one thread's runtime block."""

    def __init__(self, runtime: Runtime, capacity: int = CAPACITY_BYTES) -> None:
        self._buffer = Buffer(capacity)
        self._runtime = runtime
        runtime.trace_buffer = self._buffer.address
        runtime.trace_capacity = capacity
        runtime.trace_used = 0
        runtime.trace_lost = 0

    @property
    def lost(self) -> int:
        """How many messages found no room since the last :meth:`take`."""
        return int(self._runtime.trace_lost)

    def records(self) -> list[TraceRecord]:
        """Every message since the last :meth:`take`, oldest first."""
        view, end = self._buffer.view, int(self._runtime.trace_used)
        found, at = [], 0
        while at < end:
            size, cpu, time_ns = _RECORD.unpack_from(view, at)
            at += _RECORD.size
            text = bytes(view[at : at + size]).decode(errors="backslashreplace")
            found.append(TraceRecord(time_ns, cpu, text))
            at = (at + size + 7) // 8 * 8
        return found

    def take(self) -> list[TraceRecord]:
        """The messages, which are gone after it, as is the count of lost ones."""
        found = self.records()
        self._runtime.trace_used = 0
        self._runtime.trace_lost = 0
        return found

    def append(self, text: bytes) -> None:
        """Add a message with the runtime block's time and CPU."""
        runtime = self._runtime
        used, text = int(runtime.trace_used), text[:MAX_TEXT_BYTES]
        if runtime.trace_capacity - used <= _RECORD.size or (
            len(text) > runtime.trace_capacity - used - _RECORD.size
        ):
            runtime.trace_lost += 1
            return
        record = _RECORD.pack(len(text), runtime.cpu, runtime.time_ns) + text
        self._buffer.view[used : used + len(record)] = record
        runtime.trace_used = min(used + (len(record) + 7) // 8 * 8, runtime.trace_capacity)


class TraceLogs:
    """The logs of a program's CPUs as one."""

    def __init__(self, logs: Sequence[TraceLog]) -> None:
        self._logs = logs

    @property
    def lost(self) -> int:
        """How many messages found no room since the last :meth:`take`."""
        return sum(log.lost for log in self._logs)

    def records(self) -> list[TraceRecord]:
        """Every message since the last :meth:`take`, oldest first."""
        return _merged([log.records() for log in self._logs])

    def take(self) -> list[TraceRecord]:
        """The messages, which are gone after it; not while runs are under way."""
        return _merged([log.take() for log in self._logs])


def _merged(logs: Sequence[list[TraceRecord]]) -> list[TraceRecord]:
    if len(logs) == 1:
        return logs[0]
    return sorted((record for log in logs for record in log), key=lambda record: record.time_ns)


def format_message(fmt: bytes, arguments: tuple[int, ...]) -> bytes | None:
    """The text of ``bpf_trace_printk``; None for a format that Linux (or we) refuse.

    ``fmt`` must hold its NUL. ``%[0 +-][width]`` before ``c d i u x X``, the integers also with
    ``l`` or ``ll``, and ``%%``; three arguments at most. ``%s`` and ``%p`` would show kernel
    memory and are refused.
    """
    text, nul, _ = fmt.partition(b"\0")
    if not nul or any(not _printable(char) for char in text):
        return None
    out = bytearray()
    taken = at = 0
    while at < len(text):
        char = text[at : at + 1]
        at += 1
        if char != b"%":
            out += char
            continue
        if text[at : at + 1] == b"%":
            out += b"%"
            at += 1
            continue
        if taken == _ARGUMENTS:
            return None
        piece, at = _conversion(text, at, arguments[taken])
        if piece is None:
            return None
        out += piece
        taken += 1
    return bytes(out)


def _printable(char: int) -> bool:
    return 0x09 <= char <= 0x0D or (char >= 0x20 and char != 0x7F)


def _conversion(text: bytes, at: int, argument: int) -> tuple[bytes | None, int]:
    """One conversion's text (None: refused) and where it ends; ``at`` is behind its %."""
    start = at
    while text[at : at + 1] and text[at] in b"0+- ":
        at += 1
    flags = text[start:at]
    start = at
    while text[at : at + 1].isdigit():
        at += 1
    width = int(text[start:at] or b"0") if at - start <= 4 else MAX_WIDTH + 1
    if width > MAX_WIDTH:
        return None, at
    if text[at : at + 1] == b"c":
        letter = bytes([argument & 0xFF])
        return (letter.ljust(width) if b"-" in flags else letter.rjust(width)), at + 1
    long = text[at : at + 1] == b"l"
    at += text[at : at + 2].count(b"l") if long else 0
    kind = text[at : at + 1]
    if kind not in {b"d", b"i", b"u", b"x", b"X"}:
        return None, at
    value = argument & (_U64 if long else 0xFFFF_FFFF)
    sign = ""
    if kind in {b"d", b"i"}:
        bits = 64 if long else 32
        value -= (value >> (bits - 1)) << bits
        sign = "-" if value < 0 else "+" if b"+" in flags else " " if b" " in flags else ""
    digits = format(abs(value), {b"x": "x", b"X": "X"}.get(kind, "d"))
    if b"-" in flags:
        shown = (sign + digits).ljust(width)
    elif b"0" in flags:
        shown = sign + digits.rjust(width - len(sign), "0")
    else:
        shown = (sign + digits).rjust(width)
    return shown.encode(), at + 1


def print_message(log: TraceLog, fmt: bytes, arguments: tuple[int, ...]) -> int:
    """``bpf_trace_printk``: the text's length, however much of it was kept, or -EINVAL."""
    text = format_message(fmt, arguments)
    if text is None:
        return -EINVAL
    log.append(text)
    return len(text)
