"""Tail calls: one program looks at the protocol and goes on in the one that knows it.

Each stage is a program of its own, with the verifier's whole budget, and user space can replace
it while packets flow. What a stage must know travels in a per-CPU array.

    beebox replay examples/dispatch.py:dispatch examples/capture.pcap
"""

from __future__ import annotations

from typing import Final

from beebox import (
    PerCpuArray,
    ProgArray,
    XdpAction,
    XdpContext,
    struct,
    tail_call,
    u16,
    u32,
    u64,
    xdp,
    zeroed,
)
from beebox.lib.net import ETH_P_ARP, ETH_P_IP, ETH_P_IPV6, arphdr, iphdr, ipv6hdr
from beebox.lib.parse import cursor, parse_ethernet

IPV4: Final = 0
IPV6: Final = 1
ARP: Final = 2


@struct
class Found:
    """What the first program found out, and what the stages count."""

    offset: u32
    packets: u64


stages = ProgArray(max_entries=8, programs={IPV4: "ipv4", IPV6: "ipv6", ARP: "arp"})
found = PerCpuArray[Found](max_entries=3)


def stage_of(protocol: u16) -> u32:
    """The stage for an ethertype; one past the last where there is none."""
    if protocol == ETH_P_IP:
        return IPV4
    if protocol == ETH_P_IPV6:
        return IPV6
    return u32(ARP) if protocol == ETH_P_ARP else ARP + 1


def offset_for(stage: u32) -> u32:
    """What ``dispatch`` has left for a stage."""
    entry = found[stage]
    return 0 if entry is None else entry.offset


@xdp
def dispatch(ctx: XdpContext) -> XdpAction:
    """Pass what no stage takes."""
    at = zeroed(cursor)
    if not parse_ethernet(ctx, at):
        return XdpAction.DROP
    stage = stage_of(at.protocol)
    entry = found[stage]
    if entry is not None:
        entry.offset = at.offset
        entry.packets += 1
        tail_call(ctx, stages, stage)  # comes back only where there is no program
    return XdpAction.PASS


@xdp
def ipv4(ctx: XdpContext) -> XdpAction:
    """Drop what is about to expire."""
    ip = ctx.packet(iphdr, offset_for(IPV4))
    if ip is None or ip.ttl <= 1:
        return XdpAction.DROP
    return XdpAction.PASS


@xdp
def ipv6(ctx: XdpContext) -> XdpAction:
    """The same for IPv6."""
    ip = ctx.packet(ipv6hdr, offset_for(IPV6))
    if ip is None or ip.hop_limit <= 1:
        return XdpAction.DROP
    return XdpAction.PASS


@xdp
def arp(ctx: XdpContext) -> XdpAction:
    """Pass whole ARP packets only."""
    if ctx.packet(arphdr, offset_for(ARP)) is None:
        return XdpAction.DROP
    return XdpAction.PASS
