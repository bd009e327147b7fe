"""Programs over ``__sk_buff`` in CPython, userspace and Linux: the same verdict and packet."""

from __future__ import annotations

import importlib.util
import random
import sys

import pytest

import beebox
from beebox import SkbContext

pytestmark = pytest.mark.linux

HEAD = """\
from __future__ import annotations
from typing import Literal
from beebox import (
    CgroupSkbVerdict, Global, Hash, LwtVerdict, PacketContext, SkbContext, TcAction, array, atomic,
    be16, be32, cgroup_skb_egress, cgroup_skb_ingress, copied, csum_diff, flow_dissector, htonl,
    htons, l3_csum_replace, l4_csum_replace, lwt_in, lwt_out, lwt_xmit, skb_change_tail,
    skb_load_bytes, skb_load_bytes_relative, skb_pull_data, skb_store_bytes, socket_filter, struct,
    tc, u8, u16, u32, u64, zeroed,
)
from beebox.lib.flags import BPF_F_MARK_MANGLED_0, BPF_F_PSEUDO_HDR
from beebox.lib.net import iphdr, udphdr
from beebox.lib.parse import cursor, parse_ethernet, parse_ip, parse_network
@struct
class raw:
    b: array[u8, Literal[16]]
    n: be16
    w: be32
seen = Hash[u32, u64](max_entries=64)
total = Global(u64(0))
def sum_of(ctx: PacketContext, at: u32) -> u32:
    r = ctx.packet(raw, at)
    if r is None: return u32(0)
    n = u32(r.n)
    for i in range(len(r.b)): n += r.b[i]
    return n
def parsed(ctx: PacketContext, at: cursor) -> u32:
    if not parse_ip(ctx, at): return u32(at.protocol) + 7
    return at.offset * 1000 + at.protocol + at.fragment
"""

BODIES = {
    "tc: fields": """
@tc
def program(ctx: SkbContext) -> u32:
    n = ctx.mark + ctx.priority * 3 + ctx.tc_index + ctx.cb[0] + ctx.vlan_present
    ctx.mark = 5
    ctx.priority = 6
    ctx.tc_index = u32(ctx.protocol)
    ctx.tc_classid = 9
    for i in range(3): n += i
    ctx.cb[0] = ctx.len
    ctx.cb[4] = 70000
    ctx.mark += 1
    ctx.cb[4] ^= ctx.mark
    n += ctx.mark * 10 + ctx.priority + ctx.tc_index + ctx.cb[0] + ctx.cb[4] + ctx.cb[1]
    return n + u32(u8(ctx.mark)) + ctx.tc_classid
""",
    "tc: packets": """
@tc
def program(ctx: SkbContext) -> u32:
    r = ctx.packet(raw, 14)
    if r is None: return u32(99)
    r.n += 3
    r.w ^= 0x01020304
    kept = copied(r)
    r.b[3] = 9
    if ctx.protocol == 0x0800: return u32(kept.b[3]) + sum_of(ctx, 3)
    return ctx.length
""",
    "tc: bytes": """
@tc
def program(ctx: SkbContext) -> u32:
    r = zeroed(raw)
    n = skb_load_bytes(ctx, 15, r)
    if n != 0: return u32(n)
    n += skb_store_bytes(ctx, 20, r, 0) + skb_store_bytes(ctx, 14, be16(0x1234), 0)
    n += skb_store_bytes(ctx, 17, u8(7), 0) + skb_store_bytes(ctx, 5000, u32(1), 0)
    n += skb_load_bytes_relative(ctx, 2, r, 1)
    buffer = zeroed(array[u8, Literal[12]])
    n += skb_load_bytes(ctx, 0, buffer)
    return u32(n) + buffer[11] + r.n + sum_of(ctx, 14)
""",
    "tc: checksums": """
@tc
def program(ctx: SkbContext) -> u32:
    r = ctx.packet(raw, 14)
    if r is None: return u32(99)
    old = r.w
    n = l3_csum_replace(ctx, 24, htonl(old), htonl(old + 5), 4)
    n += l3_csum_replace(ctx, 26, u64(htons(u16(old))), 17, 2)
    n += l4_csum_replace(ctx, 30, htonl(old), htonl(7), BPF_F_PSEUDO_HDR | 4)
    n += l4_csum_replace(ctx, 28, htons(7), htons(8), BPF_F_MARK_MANGLED_0 | 2)
    n += l3_csum_replace(ctx, 22, 0, 77, 0) + l3_csum_replace(ctx, 22, 1, 77, 0)
    n += l3_csum_replace(ctx, 21, 1, 2, 2) + l3_csum_replace(ctx, 2000, 1, 2, 2)
    n += l3_csum_replace(ctx, 22, 1, 2, 3)
    return u32(n)
""",
    "tc: tails": """
@tc
def program(ctx: SkbContext) -> u32:
    n = skb_change_tail(ctx, ctx.len + 4, 0) + skb_change_tail(ctx, ctx.len - 2, 0)
    n += skb_pull_data(ctx, 0) + skb_pull_data(ctx, 100000) + skb_change_tail(ctx, 30, 5)
    return u32(n) + ctx.len * 3 + ctx.length
""",
    "tc: parsing": """
@tc
def program(ctx: SkbContext) -> u32:
    at = zeroed(cursor)
    if not parse_ethernet(ctx, at): return u32(1)
    return parsed(ctx, at)
""",
    "cgroup_skb/ingress: fields": """
@cgroup_skb_ingress
def program(ctx: SkbContext) -> u32:
    ctx.mark = 5
    ctx.cb[2] = ctx.mark + 1
    seen[ctx.mark] = ctx.cb[2]
    r = ctx.packet(raw)
    if r is None or sum_of(ctx, 1) & 1: return u32(0)
    return u32(r.n > 77 and ctx.protocol != 5)
""",
    "cgroup_skb/egress: parsing": """
@cgroup_skb_egress
def program(ctx: SkbContext) -> u32:
    at = zeroed(cursor)
    if not parse_network(ctx, at): return u32(1)
    return parsed(ctx, at) & 3
""",
    "socket: bytes": """
@socket_filter
def program(ctx: SkbContext) -> u32:
    r = zeroed(raw)
    if skb_load_bytes(ctx, 3, r) != 0: return 0
    ctx.cb[1] = 3
    atomic(total).value += r.n
    return ctx.len + u32(r.n) * ctx.cb[1] + u32(total.value)
""",
    "lwt_out: fields": """
@lwt_out
def program(ctx: SkbContext) -> u32:
    ctx.mark = 3
    r = ctx.packet(raw, 4)
    if r is None: return u32(LwtVerdict.DROP)
    return ctx.mark + sum_of(ctx, 0) + r.w
""",
    "lwt_xmit: packets": """
@lwt_xmit
def program(ctx: SkbContext) -> u32:
    r = ctx.packet(raw, 4)
    if r is None: return u32(LwtVerdict.DROP)
    r.w += 9
    old = skb_store_bytes(ctx, 2, be32(0xA0B0C0D0), 0)
    return u32(old) + sum_of(ctx, 0)
""",
}
STARTS_AT_NETWORK = ("cgroup_skb", "socket", "lwt")


def frames():
    source = random.Random(9)
    for ethertype in (
        b"\x08\x00\x45",
        b"\x08\x06",
        b"\x86\xdd\x60",
        b"\x81\x00\x00\x05\x08\x00\x46",
    ):
        for _ in range(8):
            yield bytes(12) + ethertype + source.randbytes(source.randint(44, 90))


@pytest.mark.parametrize("name", BODIES)
def test_cpython_userspace_and_linux_agree(name, tmp_path):
    path = tmp_path / "program.py"
    path.write_text(HEAD + BODIES[name])
    spec = importlib.util.spec_from_file_location("skb_reference_program", path)
    reference = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = reference
    spec.loader.exec_module(reference)
    skipped = 14 if name.startswith(STARTS_AT_NETWORK) else 0
    with (
        beebox.load(path, kernel="linux") as linux,
        beebox.load(path) as jit,
        beebox.load(path, engine="interpreter") as interpreter,
    ):
        kernels = {"jit": jit, "interpreter": interpreter}
        for frame in frames():
            ran = linux.programs["program"].test_run(frame)
            protocol = int.from_bytes(frame[12:14], "big")
            ctx = SkbContext(frame[skipped:], protocol=protocol, network_header=14 - skipped)
            verdict = int(reference.program(ctx)) & 0xFFFFFFFF
            assert (ran.retval, ran.data_out) == (verdict, bytes(skipped) + ctx.data), frame.hex()
            for kernel, loaded in kernels.items():
                mine = loaded.programs["program"].test_run(frame)
                assert (kernel, mine.retval, mine.data_out) == (kernel, ran.retval, ran.data_out)


DISSECTOR = """\
from beebox import FlowDissectorVerdict, SkbContext, flow_dissector
from beebox.lib.net import ETH_P_IP, iphdr, udphdr
@flow_dissector
def program(ctx: SkbContext) -> FlowDissectorVerdict:
    keys = ctx.flow_keys
    if keys.n_proto != ETH_P_IP:
        return FlowDissectorVerdict.FLOW_DISSECTOR_CONTINUE
    ip = ctx.packet(iphdr, keys.nhoff)
    if ip is None:
        return FlowDissectorVerdict.DROP
    keys.addr_proto = ETH_P_IP
    keys.ipv4_src = ip.saddr
    keys.ipv6_dst[3] = ip.daddr
    keys.ip_proto = ip.protocol
    keys.thoff = keys.nhoff + 20
    udp = ctx.packet(udphdr, keys.thoff)
    if udp is None:
        return FlowDissectorVerdict.DROP
    keys.sport = udp.source
    keys.dport = udp.dest
    return FlowDissectorVerdict.OK
"""


def test_flow_keys_agree(tmp_path):
    path = tmp_path / "program.py"
    path.write_text(DISSECTOR)
    with beebox.load(path, kernel="linux") as linux, beebox.load(path) as jit:
        seen = set()
        for frame in frames():
            ran = linux.programs["program"].test_run(frame)
            mine = jit.programs["program"].test_run(frame)
            assert (mine.retval, mine.data_out) == (ran.retval, ran.data_out), frame.hex()
            seen.add(ran.retval)
        assert len(seen) > 1


OFFSETS = (
    "r.n",
    "r.n + 20",
    "u32(r.n) + r.b[0]",
    "r.w",
    "r.w >> 3",
    "r.w & 0xFFFF",
    "u64(r.w) * r.w",
    "u64(r.w) << 7",
    "u32(r.b[0]) * 4 + 14",
    "u32(r.b[0] & 15) * 4 + u32(r.b[1] >> 4) * 4 + 14",
    "r.w % 1500",
    "u32(total.value)",
    "ctx.length - 9",
    "ctx.length - r.b[3]",
    "u32(r.b[0] > 5)",
)


@pytest.mark.parametrize("offset", OFFSETS)
def test_any_offset_into_a_packet_is_accepted(offset, tmp_path):
    path = tmp_path / "program.py"
    path.write_text(
        HEAD
        + f"""
@tc
def program(ctx: SkbContext) -> u32:
    r = ctx.packet(raw, 14)
    if r is None: return u32(99)
    at = {offset}
    first = ctx.packet(u8, {offset})
    again = ctx.packet(raw, at)
    last = ctx.packet(u16, at + 3)
    n = u32(0)
    if first is not None: n += first
    if again is not None: n += again.w
    if last is not None: n += last
    for i in range(4):
        more = ctx.packet(u8, at + i)
        if more is None: break
        n += more
    return n
"""
    )
    with beebox.load(path, kernel="linux") as linux, beebox.load(path) as jit:
        for frame in frames():
            ran = linux.programs["program"].test_run(frame)
            assert jit.programs["program"].test_run(frame).retval == ran.retval, frame.hex()
