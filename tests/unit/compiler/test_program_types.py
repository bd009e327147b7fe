"""Each program type, its context's fields and its helpers: both verifiers accept what compiles."""

from __future__ import annotations

import pytest

import beebox
from beebox.compiler.frontend import analyze
from beebox.compiler.source import compile_source
from beebox.obj.linker import link

FIELDS = """\
from beebox import (
    SkbContext, TcAction, CgroupSkbVerdict, XdpContext, XdpAction, bpf_flow_keys, xdp, tc,
    cgroup_skb_egress, socket_filter, flow_dissector, lwt_xmit, u32, u16, struct,
    FlowDissectorVerdict, LwtVerdict,
)
from beebox.lib.net import ethhdr, iphdr, ETH_P_IP

@struct
class Mark:
    value: u32

def ttl(ip: iphdr) -> u32:
    ip_ttl = ip.ttl
    return u32(ip_ttl)

@tc
def on_tc(ctx: SkbContext) -> TcAction:
    ip = ctx.packet(iphdr, 14)
    if ip is None or ctx.protocol != ETH_P_IP:
        return TcAction.UNSPEC
    m = ctx.meta(Mark)
    if m is not None:
        ctx.mark = m.value
    ip.tos = 3
    ctx.cb[0] = ttl(ip)
    ctx.cb[1] = 5
    ctx.priority += 2
    ctx.tstamp = 7
    return TcAction.OK

@cgroup_skb_egress
def on_cgroup(ctx: SkbContext) -> CgroupSkbVerdict:
    ip = ctx.packet(iphdr)
    if ip is None or ctx.remote_ip4 == 5 or ctx.remote_ip6[1] & 0xff == 3:
        return CgroupSkbVerdict.DROP
    ctx.cb[4] = ttl(ip)
    return CgroupSkbVerdict.PASS

@socket_filter
def on_socket(ctx: SkbContext) -> u32:
    if u16(ctx.mark) == 3:
        return u32(0)
    return ctx.len

@flow_dissector
def dissect(ctx: SkbContext) -> FlowDissectorVerdict:
    keys = ctx.flow_keys
    keys.nhoff = 14
    keys.ipv6_src[1] = 0x01020304
    ctx.flow_keys.n_proto = 5
    return FlowDissectorVerdict.OK

@lwt_xmit
def out(ctx: SkbContext) -> LwtVerdict:
    ctx.mark = 5
    return LwtVerdict.OK

@xdp(frags=True)
def on_xdp(ctx: XdpContext) -> XdpAction:
    m = ctx.meta(Mark)
    if m is not None:
        m.value = 5
    if ctx.ingress_ifindex & 0xff == 5:
        return XdpAction.DROP
    return XdpAction.PASS
"""

HELPERS = """\
from typing import Final, Literal
from beebox import (
    SkbContext, TcAction, XdpContext, XdpAction, xdp, tc, lwt_xmit, socket_filter, u32, u16,
    u8, struct, LwtVerdict, array, zeroed, copied, be16, be32, htons, htonl, skb_load_bytes,
    skb_store_bytes, l3_csum_replace, l4_csum_replace, skb_vlan_push, skb_vlan_pop,
    redirect, fib_lookup, bpf_fib_lookup, bpf_tunnel_key, skb_set_tunnel_key,
    skb_get_tunnel_key, skb_pull_data, check_mtu, get_cgroup_classid, skb_adjust_room,
    clone_redirect,
)
from beebox.lib.net import ethhdr, iphdr, ETH_P_IP, ETH_P_8021Q

@tc
def on_tc(ctx: SkbContext) -> TcAction:
    ip = zeroed(iphdr)
    if skb_load_bytes(ctx, 14, ip) < 0:
        return TcAction.SHOT
    old = ip.saddr
    skb_store_bytes(ctx, 26, be32(0x0a000001), 0)
    l3_csum_replace(ctx, 24, htonl(old), htonl(0x0a000001), 4)
    l4_csum_replace(ctx, 34 + 16, htonl(old), htonl(0x0a000001), 4 | 0x10)
    skb_store_bytes(ctx, 22, u8(9), 0)
    skb_vlan_push(ctx, htons(ETH_P_8021Q), 5)
    skb_vlan_pop(ctx)
    key = zeroed(bpf_tunnel_key)
    key.remote_ipv4 = 0x01020304
    skb_set_tunnel_key(ctx, key, 0)
    skb_get_tunnel_key(ctx, key, 0)
    params = zeroed(bpf_fib_lookup)
    params.ipv4_dst = ip.daddr
    r = fib_lookup(ctx, params, 0)
    mtu = zeroed(array[u32, Literal[1]])
    if check_mtu(ctx, 0, mtu, 0, 0) != 0 or mtu[0] == 3:
        return TcAction.PIPE
    skb_pull_data(ctx, 0)
    clone_redirect(ctx, 1, 0)
    skb_adjust_room(ctx, 20, 1, 0)
    p = ctx.packet(iphdr, 14)
    if p is None:
        return TcAction.OK
    if get_cgroup_classid(ctx) == 3:
        return TcAction.OK
    ip = copied(p)
    return TcAction(redirect(params.ifindex, 0))

@socket_filter
def on_socket(ctx: SkbContext) -> u32:
    data = zeroed(array[u8, Literal[16]])
    if skb_load_bytes(ctx, 0, data) != 0:
        return 0
    return u32(data[3]) + get_cgroup_classid()
"""

SOURCES = {"fields": FIELDS, "helpers": HELPERS}


def programs():
    for name, text in SOURCES.items():
        for function in analyze(text, file=name).functions:
            if function.section is not None:
                yield pytest.param(text, function.name, id=f"{name}: {function.section_name}")


@pytest.mark.parametrize(("text", "name"), list(programs()))
def test_the_verifier_accepts(text, name):
    (report,) = beebox.verify(compile_source(text, file="case.py"), programs=[name])
    assert report.accepted, report.findings


@pytest.mark.linux
@pytest.mark.parametrize(("text", "name"), list(programs()))
def test_linux_accepts(text, name, kernel_verdict):
    verdict = kernel_verdict(link(compile_source(text, file="case.py"), name))
    assert verdict.accepted, verdict.log


def test_a_function_has_a_form_for_each_kind_of_packet():
    forms = [f.name for f in analyze(FIELDS, file="case.py").functions if f.name.startswith("ttl")]
    assert forms == ["ttl", "ttl__2"]


def test_a_function_without_packets_has_one_form():
    text = """
from beebox import SkbContext, TcAction, CgroupSkbVerdict, cgroup_skb_egress, tc, u32
def doubled(ctx: SkbContext, n: u32) -> u32:
    ctx.mark = n
    return n * 2
@tc
def a(ctx: SkbContext) -> TcAction:
    ctx.priority = doubled(ctx, 1)
    return TcAction.OK
@cgroup_skb_egress
def b(ctx: SkbContext) -> CgroupSkbVerdict:
    ctx.priority = doubled(ctx, 1)
    return CgroupSkbVerdict.PASS
"""
    assert [f.name for f in analyze(text, file="case.py").functions] == ["doubled", "a", "b"]


def test_unions_lie_where_the_uapi_has_them():
    places = {
        "bpf_fib_lookup": (64, {"rt_metric": 12, "ipv6_dst": 32, "tbid": 48, "mark": 52}),
        "bpf_flow_keys": (56, {"ipv6_dst": 32, "flags": 48, "flow_label": 52}),
        "bpf_tunnel_key": (44, {"tunnel_tos": 20, "tunnel_label": 24, "local_ipv6": 28}),
        "bpf_redir_neigh": (20, {"ipv6_nh": 4}),
    }
    for name, (size, offsets) in places.items():
        struct = getattr(beebox, name)
        assert beebox.sizeof(struct) == size
        assert {field: struct.offsets[field][1] for field in offsets} == offsets
