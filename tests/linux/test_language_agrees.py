"""The same source in CPython and, compiled, in Linux: the same verdict, packet and map contents."""

from __future__ import annotations

import importlib.util
import random
import sys

import pytest

from beebox import XdpContext
from beebox.compiler.source import compile_source
from beebox.linux.kernel import LinuxKernel

pytestmark = pytest.mark.linux

HEAD = """\
from __future__ import annotations
from enum import IntEnum
from typing import Final, Literal
from beebox import (
    Array, Constant, Global, Hash, XdpAction, XdpContext, array, atomic, be16, be32, csum_diff,
    i8, i16, i32, i64, ipv4, sizeof, struct, u8, u16, u32, u64, xdp, xdp_adjust_head,
    xdp_adjust_tail,
)
from beebox.lib.net import ethhdr, iphdr, in6_addr, ipv6hdr
@struct
class word:
    v: u32
@struct
class raw:
    b: array[u8, Literal[16]]
    n: be16
    w: be32
@struct
class Inner:
    a: u8
    b: u32
@struct
class Key:
    kind: u8
    inner: Inner
    addr: in6_addr
"""

BODIES = {
    "arithmetic": """
    r = ctx.packet(raw)
    if r is None: return u32(99)
    x = u32(r.b[0]) * 3 - r.b[1] + (r.w >> 3) ^ r.n
    y = u64(x) * 0x100000001 // (u64(r.b[2]) + 1) % 1000003
    z = r.b[3] + r.b[4] << 2 & 0xf0 | ~r.b[5]
    return u32(y) ^ u32(z) + x
""",
    "signed": """
    r = ctx.packet(raw)
    if r is None: return u32(99)
    a = i32(r.b[0]) - i32(r.b[1])
    b = i64(a) * -3 >> 1
    c = i8(r.b[2])
    d = u32(1) if a < 0 and b >= -5 else u32(2)
    e = u32(7) if c < -3 else u32(9)
    n = -a if a < 0 else a
    return u32(a) + u32(b) * 3 + u32(c) + d * 100 + e * 1000 + u32(n)
""",
    "division by a packet's byte": """
    r = ctx.packet(raw)
    if r is None: return u32(99)
    return u32(r.b[0]) // (r.b[1] & 3) * 1000 + u32(r.b[0]) % (r.b[1] & 3)
""",
    "shifts by a packet's byte": """
    r = ctx.packet(raw)
    if r is None: return u32(99)
    return (r.w << r.b[0]) ^ (r.w >> r.b[1]) ^ u32(i32(r.w) >> r.b[2])
""",
    "comparisons": """
    r = ctx.packet(raw)
    if r is None: return u32(99)
    n = u32(0)
    if 10 < r.b[0] <= 200: n += 1
    if r.b[1] in (1, 2, 3) or not r.b[2] & 1: n += 2
    if r.b[3] not in (7, 9) and (r.b[4] > 5 or r.b[5] > 5): n += 4
    same = r.b[6] == r.b[7]
    if same or r.n != 5: n += 8
    if bool(r.b[8]) and not same: n += 16
    n += u32(same) * 32
    return n + min(r.b[0], r.b[1]) + max(r.w, 77)
""",
    "loops": """
    r = ctx.packet(raw)
    if r is None: return u32(99)
    n = u32(0)
    for i in range(16):
        if r.b[i] == 0: continue
        if r.b[i] > 250: break
        n += r.b[i]
    for j in range(15, 0, -3): n = n * 3 + j
    for k in range(r.b[0] & 7): n += k * k
    for m in range(2, 30, 5):
        n ^= m
        m = 100
    left = r.b[1] & 31
    while left > 0:
        left -= 1
        if left == 3: break
        n += left
    while True:
        n += 1
        if n & 7 == 0: break
    return n
""",
    "packet writes": """
    r = ctx.packet(raw)
    if r is None: return u32(99)
    r.n = r.n + 1
    r.w ^= 0x01020304
    r.b[3] = u8(r.w)
    r.b[4] += 250
    p = ctx.packet(be16, 2)
    q = ctx.packet(u16, 2)
    if p is None or q is None: return u32(1)
    return u32(p) * 65536 + q
""",
    "variable offsets": """
    first = ctx.packet(u8)
    if first is None: return u32(99)
    at = ctx.packet(word, 1 + (first & 15))
    if at is None: return u32(5)
    at.v += 1
    return at.v + ctx.length
""",
    "functions": """
    r = ctx.packet(raw)
    if r is None: return u32(99)
    t = Inner(a=r.b[0], b=r.w)
    bump(t, 3)
    n = total_of(r) + t.b + t.a
    if is_odd(n): n += 1000
    return n + clamp(n, 10, 5000)
""",
    "structs": """
    r = ctx.packet(raw)
    if r is None: return u32(99)
    k = Key(kind=r.b[0] & 1, inner=Inner(b=5), addr=in6_addr(high=7))
    k.inner.a = r.b[1] & 1
    keyed[k] = 1
    k.addr.low = 9
    found = keyed[k]
    if found is None:
        keyed[k] = 2
    else:
        keyed[k] = found + 1
    inner = Inner(a=1)
    k.inner = inner
    if k in keyed: return u32(7)
    return u32(k.inner.a) + sizeof(Key)
""",
    "maps": """
    r = ctx.packet(raw)
    if r is None: return u32(99)
    which = u32(r.b[0] & 7)
    atomic(slots)[which] += r.b[1]
    atomic(slots)[200] += 1
    seen[which] = r.w
    if r.b[2] & 1: del seen[which]
    v = slots[which]
    atomic(total).value += 2
    total.value -= 1
    state.value.b += r.b[3]
    if v is not None and v > limit.value: return u32(v)
    return u32(total.value) + state.value.b
""",
    "moving the packet": """
    if xdp_adjust_head(ctx, 4) != 0: return u32(3)
    r = ctx.packet(raw)
    if r is None: return u32(99)
    r.b[0] = 1
    n = r.w
    if xdp_adjust_tail(ctx, -2) != 0: return u32(4)
    again = ctx.packet(u8, 3)
    if again is None: return u32(5)
    return n + again
""",
    "checksums": """
    r = ctx.packet(raw)
    if r is None: return u32(99)
    old = word(v=r.w)
    new = word(v=r.w + 1)
    return u32(csum_diff(old, new, 5)) + u32(csum_diff(None, r.b, 0))
""",
}
TAIL = """
keyed = Hash[Key, u64](max_entries=64)
slots = Array[u64](max_entries=8)
seen = Hash[u32, u32](max_entries=64)
total = Global(u64(0))
state = Global(Inner(a=1, b=70000))
limit = Constant(u64(300))
def bump(t: Inner, n: u8) -> None:
    t.a += n
    t.b ^= t.a
def total_of(r: raw) -> u32:
    n = u32(0)
    for i in range(len(r.b)):
        n += r.b[i]
    return n
def is_odd(n: u32) -> bool:
    return n & 1 == 1
def clamp(n: u32, low: u32, high: u32) -> u32:
    if n < low: return low
    if n > high:
        return high
    return n
@xdp
def program(ctx: XdpContext) -> u32:
"""


def packets():
    source = random.Random(7)
    yield bytes(64)
    yield bytes([255] * 64)
    yield bytes(range(1, 20))
    for _ in range(40):
        yield source.randbytes(source.randint(18, 90))


@pytest.mark.parametrize("name", BODIES)
def test_cpython_and_linux_agree(name, tmp_path):
    text = HEAD + TAIL + BODIES[name]
    path = tmp_path / "program.py"
    path.write_text(text)
    spec = importlib.util.spec_from_file_location("reference_program", path)
    reference = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = reference
    spec.loader.exec_module(reference)
    with LinuxKernel().load(compile_source(text, file=str(path))) as loaded:
        for packet in packets():
            ctx = XdpContext(packet)
            wanted = int(reference.program(ctx))
            ran = loaded.programs["program"].test_run(packet)
            assert (ran.retval, ran.data_out) == (wanted, bytes(ctx.data)), packet.hex()
        for kept in ("keyed", "slots", "seen"):
            live = {
                key: value
                for key, value in loaded.maps[kept].items()
                if any(value) or kept != "slots"
            }
            elements = getattr(reference, kept)._held
            wanted_elements = {
                to_bytes(key): to_bytes(value)
                for key, value in elements.items()
                if value or kept != "slots"
            }
            assert live == wanted_elements


def to_bytes(value):
    if isinstance(value, int):
        return int(value).to_bytes(value.bits // 8, "little")
    return bytes(value)
