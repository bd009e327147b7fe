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
    Array, ArrayOfMaps, BloomFilter, Constant, Global, Hash, LpmTrie, PacketContext, ProgArray,
    Queue, Stack, UpdateFlags, XdpAction, XdpContext, array, atomic, be16, be32, bswap64,
    copied, csum_diff,
    htonl, htons, i8, i16, i32, i64, ipv4, ntohl, sizeof, struct, tail_call, u8, u16, u32, u64, xdp,
    xdp_adjust_head, xdp_adjust_meta, xdp_adjust_tail, xdp_get_buff_len, xdp_load_bytes,
    xdp_store_bytes, zeroed,
)
from beebox.lib.checksum import csum_replace32, ip_checksum, ip_decrease_ttl
from beebox.lib.net import ethhdr, iphdr, in6_addr, ipv6hdr, lpm_ipv4
from beebox.lib.parse import cursor, parse_ethernet, parse_ip
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
    "references from functions": """
    r = first_raw(ctx)
    if r is None: return u32(99)
    slot = slot_of(r.b[0])
    if slot is None: return u32(1)
    twice = doubled(r)
    return u32(slot) + twice.n
""",
    "atomics": """
    r = ctx.packet(raw)
    if r is None: return u32(99)
    atomic(total).value |= r.w
    atomic(total).value &= 0xFFFF00FF
    atomic(total).value ^= r.b[3]
    n = atomic(total).value.fetch_add(7) + atomic(total).value.fetch_sub(2)
    n += atomic(total).value.fetch_or(3) + atomic(total).value.fetch_and(0xFFF)
    n += atomic(total).value.fetch_xor(0x5A5) + atomic(total).value.exchange(r.n)
    n += atomic(total).value.compare_exchange(r.b[12], 5)
    n += atomic(state.value).b.fetch_add(r.b[0])
    atomic(slots)[r.b[1] & 7] |= 6
    total.value += n
    return u32(n ^ n >> 32) + state.value.b
""",
    "conditions of updates": """
    r = ctx.packet(raw)
    if r is None: return u32(99)
    which = u32(r.b[0] & 3)
    n = seen.update(which, r.w, UpdateFlags.NOEXIST) + seen.update(which, 7, UpdateFlags.EXIST)
    n += seen.delete(u32(r.b[1] & 3)) + seen.delete(77)
    n += slots.update(9, 1) + slots.update(3, r.n)
    return u32(n)
""",
    "queues and stacks": """
    r = ctx.packet(raw)
    if r is None: return u32(99)
    n = waiting.push(Inner(a=r.b[0], b=r.w)) + piled.push(r.w)
    if piled.push(r.n, UpdateFlags.EXIST) != 0: return u32(1)
    item = waiting.peek()
    top = piled.pop()
    if item is None or top is None: return u32(98)
    n += i64(item.b) + i64(top)
    if r.b[1] & 1:
        taken = waiting.pop()
        if taken is not None: n += i64(taken.a)
    return u32(n)
""",
    "longest prefixes": """
    r = ctx.packet(raw)
    if r is None: return u32(99)
    nets[lpm_ipv4(prefixlen=u32(r.b[0] & 31), addr=r.w)] = r.n
    nets[lpm_ipv4(prefixlen=8, addr=r.w << 8)] = 3
    found = nets[lpm_ipv4(prefixlen=32, addr=r.w ^ r.b[1])]
    if found is None: return u32(5)
    return u32(found)
""",
    "bloom filters": """
    r = ctx.packet(raw)
    if r is None: return u32(99)
    n = bloom.add(r.w)
    if r.w in bloom: n += 1
    return u32(n)
""",
    "maps of maps": """
    r = ctx.packet(raw)
    if r is None: return u32(99)
    inner = tables[r.b[0] & 3]
    if inner is None: return u32(1)
    inner[r.b[1]] = r.w
    atomic(inner)[r.b[1]] += 5
    v = inner[r.b[1]]
    if v is None: return u32(98)
    if r.b[2] & 1: del inner[r.b[1]]
    return u32(v) + u32(r.b[1] in inner)
""",
    "tail calls": """
    r = ctx.packet(raw)
    if r is None: return u32(99)
    r.b[5] = 77
    tail_call(ctx, later, r.b[0] & 3)
    return u32(5)
""",
    "large offsets": """
    r = ctx.packet(raw)
    if r is None: return u32(99)
    far = ctx.packet(u8, r.w)
    near = ctx.packet(u8, r.w & 31)
    if far is not None: return u32(1)
    return u32(2) if near is None else u32(near)
""",
    "parsing and checksums": """
    at = zeroed(cursor)
    if not parse_ethernet(ctx, at): return u32(1)
    if not parse_ip(ctx, at): return u32(at.protocol)
    ip = ctx.packet(iphdr, at.network)
    if ip is None: return u32(97)
    if ip.ttl > 1: ip_decrease_ttl(ip)
    ip.check = csum_replace32(ip.check, ip.saddr, ip.daddr)
    return u32(ip_checksum(ip)) + at.offset * 65536 + at.protocol + at.fragment
""",
    "metadata": """
    if ctx.meta(word) is not None: return u32(1)
    n = xdp_adjust_meta(ctx, -8) + xdp_adjust_meta(ctx, -3) + xdp_adjust_meta(ctx, 100)
    m = ctx.meta(raw)
    w = ctx.meta(word)
    if m is not None or w is None: return u32(2)
    w.v = ctx.length
    n += i64(w.v)
    n += xdp_adjust_meta(ctx, -248) + xdp_adjust_meta(ctx, 4)
    again = ctx.meta(word)
    if again is None: return u32(3)
    again.v = 7
    n += xdp_adjust_meta(ctx, 4)
    return u32(n) if ctx.meta(word) is None else u32(4)
""",
    "byte order": """
    r = ctx.packet(raw)
    if r is None: return u32(99)
    return htonl(r.w) + htons(r.n) + ntohl(r.w + 1) * 3 + u32(bswap64(u64(r.w)) >> 40)
""",
    "moved packets and copies": """
    r = ctx.packet(raw)
    if r is None: return u32(99)
    copy = copied(r)
    copy = copied(r)
    if xdp_load_bytes(ctx, 3, copy) != 0: return u32(98)
    if xdp_store_bytes(ctx, 1, be32(copy.w)) != 0: return u32(97)
    if xdp_store_bytes(ctx, 500, u8(1)) == 0: return u32(96)
    return copy.w + u32(xdp_get_buff_len(ctx))
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
waiting = Queue[Inner](max_entries=5)
piled = Stack[u32](max_entries=3)
nets = LpmTrie[lpm_ipv4, u32](max_entries=512)
bloom = BloomFilter[u32](max_entries=4096)
red = Hash[u32, u32](max_entries=8)
tables = ArrayOfMaps[Hash[u32, u32]](max_entries=4, inner_max_entries=8, maps={1: red, 2: red})
later = ProgArray(max_entries=4, programs={1: "second", 3: "third"})
def first_raw(ctx: PacketContext) -> raw | None:
    return ctx.packet(raw)
def doubled(r: raw) -> raw:
    r.n = r.n * 2
    return r
def slot_of(which: u8) -> u64 | None:
    slots[which & 7] = which
    return slots[which & 15]
@xdp
def second(ctx: XdpContext) -> u32:
    return 1000 + ctx.length
@xdp
def third(ctx: XdpContext) -> u32:
    tail_call(ctx, later, 1)
    return u32(3)
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
    for ethertype in (b"\x08\x00\x45", b"\x81\x00\x00\x05\x08\x00\x46", b"\x86\xdd\x60"):
        for _ in range(8):
            yield bytes(12) + ethertype + source.randbytes(source.randint(20, 90))


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
