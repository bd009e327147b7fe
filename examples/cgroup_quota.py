"""A quota on what a control group sends: so many bytes to each peer, with a warning before the end.

User space fills ``quotas``; peers without one are not limited. Under a tenth of its quota a
connection is told of congestion, so that TCP slows down before packets are lost.

    beebox replay examples/cgroup_quota.py examples/capture.pcap
"""

from __future__ import annotations

from beebox import CgroupSkbVerdict, Hash, SkbContext, cgroup_skb_egress, struct, u32, u64
from beebox.lib.net import ETH_P_IP, iphdr


@struct
class Quota:
    """Bytes in all, and bytes left."""

    total: u64
    left: u64


quotas = Hash[u32, Quota](max_entries=1024)  # by IPv4 address


@cgroup_skb_egress
def limit(ctx: SkbContext) -> CgroupSkbVerdict:
    """Take the packet from its peer's quota."""
    if ctx.protocol != ETH_P_IP:
        return CgroupSkbVerdict.PASS
    ip = ctx.packet(iphdr)  # here packets start with the IP header
    if ip is None:
        return CgroupSkbVerdict.DROP
    quota = quotas[ip.daddr]
    if quota is None:
        return CgroupSkbVerdict.PASS
    if quota.left < ctx.len:
        return CgroupSkbVerdict.DROP
    quota.left -= ctx.len
    if quota.left * 10 < quota.total:
        return CgroupSkbVerdict.PASS_CN
    return CgroupSkbVerdict.PASS
