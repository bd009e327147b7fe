"""A sampling socket filter: of every ``every``-th DNS packet the first bytes, of others nothing.

A socket filter returns how many bytes the socket gets. It sees the packet from where the socket
does, so headers are read relative to the network header.

    beebox replay examples/socket_sample.py examples/capture.pcap
"""

from __future__ import annotations

from typing import Final

from beebox import (
    Constant,
    Global,
    SkbContext,
    atomic,
    skb_load_bytes_relative,
    socket_filter,
    u32,
    u64,
    zeroed,
)
from beebox.lib.flags import BPF_HDR_START_NET
from beebox.lib.net import ETH_P_IP, IPPROTO_UDP, ip_header_bytes, iphdr, udphdr

DNS: Final = 53

every = Constant(u64(4))
kept_bytes = Constant(u32(128))
seen = Global(u64(0))  # DNS packets


@socket_filter
def sample_dns(ctx: SkbContext) -> u32:
    """How much of a packet to keep."""
    ip = zeroed(iphdr)
    if ctx.protocol != ETH_P_IP:
        return 0
    if skb_load_bytes_relative(ctx, 0, ip, BPF_HDR_START_NET) != 0 or ip.protocol != IPPROTO_UDP:
        return 0
    udp = zeroed(udphdr)
    if skb_load_bytes_relative(ctx, ip_header_bytes(ip), udp, BPF_HDR_START_NET) != 0:
        return 0
    if DNS not in (udp.source, udp.dest):
        return 0
    before = atomic(seen).value.fetch_add(1)
    return kept_bytes.value if before % every.value == 0 else 0
