"""BPF helpers as users import them: signatures for mypy, and what CPython can imitate.

The compiler takes names, arguments and effects from ``tables.helpers``; a test keeps both equal.
Memory and size pairs are one reference argument here.
"""

from __future__ import annotations

import random
import time
from typing import Any

from beebox.compiler.language import XdpContext, i32, i64, u32, u64


def ktime_get_ns() -> u64:
    """Nanoseconds since boot, without the time spent suspended."""
    return u64(time.monotonic_ns())


def get_prandom_u32() -> u32:
    """A pseudo-random number."""
    return u32(random.getrandbits(32))


def get_smp_processor_id() -> u32:
    """The CPU that runs the program."""
    return u32(0)


def trace_printk(fmt: str, *values: int) -> i64:
    """Write a line to the trace log: a constant format and up to three integers."""
    line = fmt.replace("llu", "d").replace("lld", "d").replace("llx", "x").replace("u", "d")
    print(line % values)  # noqa: T201 -- the trace log of a reference run
    return i64(0)


def csum_diff(from_: Any, to: Any, seed: u32) -> i64:
    """The one's complement sum of ``seed``, plus ``to``, minus ``from_``, folded to 16 bits."""
    total = int(seed) + _words(to) if to is not None else int(seed)
    if from_ is not None:
        total = _fold(total, 32) + (_fold(_words(from_), 32) ^ 0xFFFFFFFF)
    return i64(_fold(total, 16))


def _words(data: Any) -> int:
    raw = bytes(data)
    return sum(int.from_bytes(raw[at : at + 4], "little") for at in range(0, len(raw), 4))


def _fold(total: int, bits: int) -> int:
    while total >> bits:
        total = (total & ((1 << bits) - 1)) + (total >> bits)
    return total


def xdp_adjust_head(ctx: XdpContext, delta: i32) -> i64:
    """Move the packet's start: negative grows it. 0, or a negative errno."""
    if int(delta) > len(ctx.data) - 14:
        return i64(-22)
    ctx.data = bytearray(-delta) + ctx.data if delta < 0 else ctx.data[delta:]
    return i64(0)


def xdp_adjust_tail(ctx: XdpContext, delta: i32) -> i64:
    """Move the packet's end: positive grows it, with zeros. 0, or a negative errno."""
    length = len(ctx.data) + int(delta)
    if length < 14:
        return i64(-22)
    ctx.data = (ctx.data + bytearray(max(0, int(delta))))[:length]
    return i64(0)


def xdp_adjust_meta(ctx: XdpContext, delta: i32) -> i64:
    """Reserve bytes for metadata before the packet. CPython has none: -EOPNOTSUPP."""
    assert ctx.data is not None
    assert delta is not None
    return i64(-95)
