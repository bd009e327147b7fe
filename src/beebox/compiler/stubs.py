"""Helpers of every program and of XDP: signatures for mypy, and what CPython can imitate.

The compiler takes names, arguments and effects from ``tables.helpers``; a test keeps both equal.
Memory and size pairs are one reference argument here: a struct, an array, or ``be32(x)``.
"""

from __future__ import annotations

import random
import time
from typing import Any, Final

from beebox.compiler.language import SkbContext, XdpContext, i32, i64, u32, u64
from beebox.compiler.views import in_bytes, place_of

_MOST_METADATA: Final = 252  # bytes; where less headroom is left, Linux has room for less


def ktime_get_ns() -> u64:
    """Nanoseconds since boot, without the time spent suspended."""
    return u64(time.monotonic_ns())


def ktime_get_boot_ns() -> u64:
    """Nanoseconds since boot, with the time spent suspended."""
    return u64(time.monotonic_ns())


def ktime_get_coarse_ns() -> u64:
    """As :func:`ktime_get_ns`, cheaper and as old as the last timer tick."""
    return u64(time.monotonic_ns())


def ktime_get_tai_ns() -> u64:
    """Nanoseconds of International Atomic Time."""
    return u64(time.time_ns())


def jiffies64() -> u64:
    """Timer ticks since boot, at a rate that the kernel chose."""
    return u64(time.monotonic_ns() // 4_000_000)


def get_numa_node_id() -> i64:
    """The memory node of the CPU that runs the program."""
    return i64(0)


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
        total = fold(total, 32) + (fold(_words(from_), 32) ^ 0xFFFFFFFF)
    return i64(fold(total, 16))


def _words(data: Any) -> int:
    raw = in_bytes(data)
    return sum(int.from_bytes(raw[at : at + 4], "little") for at in range(0, len(raw), 4))


def fold(total: int, bits: int) -> int:
    """A one's complement sum in ``bits`` bits."""
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
    """Move the start of the metadata before the packet: negative grows it. 0, or an errno."""
    size = len(ctx.metadata) - int(delta)
    if not 0 <= size <= _MOST_METADATA:
        return i64(-22)
    if size % 4:
        return i64(-13)
    ctx.metadata = bytearray(max(0, -int(delta))) + ctx.metadata[max(0, int(delta)) :]
    return i64(0)


def xdp_get_buff_len(ctx: XdpContext) -> u64:
    """Bytes of the whole packet, fragments included."""
    return u64(len(ctx.data))


def xdp_load_bytes(ctx: XdpContext, offset: u32, buf: Any) -> i64:
    """Fill ``buf`` with the packet's bytes from ``offset`` on. 0, or a negative errno."""
    return load_bytes(ctx, offset, buf)


def xdp_store_bytes(ctx: XdpContext, offset: u32, buf: Any) -> i64:
    """Write the bytes of ``buf`` to the packet from ``offset`` on. 0, or a negative errno."""
    return store_bytes(ctx, offset, buf)


def load_bytes(ctx: XdpContext | SkbContext, offset: int, to: Any) -> i64:
    """What the helpers that copy from a packet do; zeros where they fail."""
    size = len(bytes(to))
    data = bytes(ctx.data[int(offset) : int(offset) + size])
    memory, start = place_of(to)
    if len(data) < size:
        memory[start : start + size] = bytes(size)
        return i64(-14)
    memory[start : start + size] = data
    return i64(0)


def store_bytes(ctx: XdpContext | SkbContext, offset: int, from_: Any) -> i64:
    """What the helpers that copy to a packet do."""
    data = in_bytes(from_)
    if int(offset) + len(data) > len(ctx.data):
        return i64(-14)
    ctx.data[int(offset) : int(offset) + len(data)] = data
    return i64(0)


def map_lookup_percpu_elem(map: Any, key: Any, cpu: u32) -> Any:  # noqa: A002 -- the table's name
    """The element of a per-CPU map that another CPU sees, or None."""
    return map[key] if cpu == 0 else None


def tail_call(ctx: Any, prog_array_map: Any, index: u32) -> None:
    """Go on in the program that ``index`` holds, never to return; or return when it holds none."""
    prog_array_map.call(ctx, int(index))
