"""An access list of prefixes: the longest that holds the source decides, and counts.

User space fills ``rules``; sources that no rule holds pass.

    beebox replay --set 'rules[203.0.113.0/24]={"action": 1}' examples/lpm_acl.py capture.pcap
"""

from __future__ import annotations

from beebox import LpmTrie, XdpAction, XdpContext, atomic, struct, u32, u64, xdp, zeroed
from beebox.lib.net import ETH_P_IP, iphdr, lpm_ipv4
from beebox.lib.parse import cursor, parse_ethernet


@struct
class Rule:
    """What to do with packets from a prefix (an XdpAction), and how many there were."""

    action: u32
    packets: u64


rules = LpmTrie[lpm_ipv4, Rule](max_entries=4096)


def rule_for(ctx: XdpContext) -> Rule | None:
    """The rule for a packet's source, behind VLAN tags, if it is IPv4 and there is one."""
    at = zeroed(cursor)
    if not parse_ethernet(ctx, at) or at.protocol != ETH_P_IP:
        return None
    ip = ctx.packet(iphdr, at.offset)
    if ip is None:
        return None
    return rules[lpm_ipv4(prefixlen=32, addr=ip.saddr)]


@xdp
def check_source(ctx: XdpContext) -> XdpAction:
    """Do what the rule says."""
    rule = rule_for(ctx)
    if rule is None:
        return XdpAction.PASS
    atomic(rule).packets += 1
    if rule.action == XdpAction.DROP:
        return XdpAction.DROP
    return XdpAction.PASS
