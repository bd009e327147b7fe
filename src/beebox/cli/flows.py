"""What a flow dissector made of a replay's packets, as data and as a table."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from beebox.cli.output import Output
from beebox.userspace.flows import FlowKind

_SHOWN: Final = 20
_PROTOCOLS: Final = {0x0800: "IPv4", 0x86DD: "IPv6", 0x0806: "ARP", 0x8100: "VLAN", 0x88A8: "QinQ"}
_IP_PROTOCOLS: Final = {0: "", 1: "ICMP", 6: "TCP", 17: "UDP", 47: "GRE", 58: "ICMPv6", 132: "SCTP"}


def flows_data(counts: Iterable[tuple[FlowKind, int]]) -> list[dict[str, Any]]:
    """Packets by protocols and verdict, for ``-j``."""
    return [
        {
            "n_proto": kind.n_proto,
            "ip_proto": kind.ip_proto,
            "verdict": kind.verdict,
            "packets": packets,
        }
        for kind, packets in counts
    ]


def show_flows(counts: list[tuple[FlowKind, int]], output: Output) -> None:
    """A table of them, the most first."""
    if not counts:
        return
    more = f", {_SHOWN} of {len(counts)}" if len(counts) > _SHOWN else ""
    rows = [
        [
            _PROTOCOLS.get(kind.n_proto, f"{kind.n_proto:#06x}"),
            _IP_PROTOCOLS.get(kind.ip_proto, str(kind.ip_proto)),
            kind.verdict,
            str(packets),
        ]
        for kind, packets in counts[:_SHOWN]
    ]
    output.text()
    output.table(f"flows{more}", ["n_proto", "ip_proto", "verdict", "packets"], rows, right=3)
