"""One packet in one line, as tcpdump's short form has it. Any bytes give a line."""

from __future__ import annotations

import struct
from datetime import UTC, datetime
from ipaddress import IPv4Address, IPv6Address
from types import MappingProxyType
from typing import Final

_VLANS: Final = frozenset({0x8100, 0x88A8, 0x9100})
_MOST_VLANS: Final = 8
_TCP_FLAGS: Final = "FSRP.UEW"
_ICMP: Final = MappingProxyType(
    {0: "echo reply", 3: "unreachable", 5: "redirect", 8: "echo request", 11: "time exceeded"}
)
_ICMP6: Final = MappingProxyType(
    {
        1: "unreachable",
        2: "packet too big",
        3: "time exceeded",
        128: "echo request",
        129: "echo reply",
        133: "router solicitation",
        134: "router advertisement",
        135: "neighbor solicitation",
        136: "neighbor advertisement",
    }
)
_NAMES: Final = MappingProxyType(
    {2: "igmp", 41: "ip6", 47: "gre", 50: "esp", 51: "ah", 89: "ospf", 112: "vrrp", 132: "sctp"}
)
_EXTENSIONS: Final = frozenset({0, 43, 60})
_FRAGMENT: Final = 44
_MOST_EXTENSIONS: Final = 8


def summary(frame: bytes) -> str:
    """What an Ethernet frame holds: protocol, source > destination, flags, length."""
    if len(frame) < 14:
        return f"{len(frame)} bytes, too short for Ethernet"
    (ethertype,) = struct.unpack_from(">H", frame, 12)
    at, tags = 14, ""
    for _ in range(_MOST_VLANS):
        if ethertype not in _VLANS or len(frame) < at + 4:
            break
        tag, ethertype = struct.unpack_from(">HH", frame, at)
        tags += f"vlan {tag & 0xFFF}, "
        at += 4
    return tags + _network(ethertype, frame, at)


def time_text(time_ns: int) -> str:
    """A time since 1970 as UTC text, with microseconds; seconds where no calendar goes so far."""
    seconds, rest = divmod(time_ns, 1_000_000_000)
    try:
        shown = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")
    except (ValueError, OverflowError, OSError):
        shown = str(seconds)
    return f"{shown}.{rest // 1000:06}"


def _network(ethertype: int, frame: bytes, at: int) -> str:
    data = frame[at:]
    match ethertype:
        case 0x0800:
            return _ip4(data)
        case 0x86DD:
            return _ip6(data)
        case 0x0806:
            return _arp(data)
        case _:
            addresses = f"{frame[6:12].hex(':')} > {frame[:6].hex(':')}"
            return f"{addresses}, ethertype {ethertype:#06x}, length {len(frame)}"


def _arp(data: bytes) -> str:
    if len(data) < 28:
        return "ARP, cut short"
    (operation,) = struct.unpack_from(">H", data, 6)
    source, target = IPv4Address(data[14:18]), IPv4Address(data[24:28])
    match operation:
        case 1:
            return f"ARP who-has {target} tell {source}"
        case 2:
            return f"ARP {source} is-at {data[8:14].hex(':')}"
        case _:
            return f"ARP operation {operation}, {source} > {target}"


def _ip4(data: bytes) -> str:
    if len(data) < 20:
        return "IP, cut short"
    size = (data[0] & 15) * 4
    (place,) = struct.unpack_from(">H", data, 6)
    source, target = str(IPv4Address(data[12:16])), str(IPv4Address(data[16:20]))
    if place & 0x1FFF:
        return f"IP {source} > {target}: fragment at {(place & 0x1FFF) * 8}, length {len(data)}"
    return "IP " + _transport(data[9], data[max(20, size) :], source, target)


def _ip6(data: bytes) -> str:
    if len(data) < 40:
        return "IP6, cut short"
    source, target = str(IPv6Address(data[8:24])), str(IPv6Address(data[24:40]))
    protocol, rest = data[6], data[40:]
    for _ in range(_MOST_EXTENSIONS):
        if protocol == _FRAGMENT and len(rest) >= 8:
            (place,) = struct.unpack_from(">H", rest, 2)
            if place & 0xFFF8:
                return f"IP6 {source} > {target}: fragment at {place & 0xFFF8}, length {len(data)}"
            protocol, rest = rest[0], rest[8:]
        elif protocol in _EXTENSIONS and len(rest) >= 8:
            protocol, rest = rest[0], rest[8 * (rest[1] + 1) :]
        else:
            break
    return "IP6 " + _transport(protocol, rest, source, target)


def _transport(protocol: int, data: bytes, source: str, target: str) -> str:
    match protocol:
        case 6 if len(data) >= 14:
            ports = struct.unpack_from(">HH", data)
            flags = "".join(name for bit, name in enumerate(_TCP_FLAGS) if data[13] >> bit & 1)
            length = max(0, len(data) - (data[12] >> 4) * 4)
            ends = f"{source}.{ports[0]} > {target}.{ports[1]}"
            return f"{ends}: tcp [{flags or 'none'}], length {length}"
        case 17 if len(data) >= 8:
            ports = struct.unpack_from(">HH", data)
            ends = f"{source}.{ports[0]} > {target}.{ports[1]}"
            return f"{ends}: udp, length {len(data) - 8}"
        case 1 | 58 if len(data) >= 2:
            names, name = (_ICMP, "icmp") if protocol == 1 else (_ICMP6, "icmp6")
            kind = names.get(data[0], f"type {data[0]}")
            return f"{source} > {target}: {name} {kind}, code {data[1]}, length {len(data)}"
        case _:
            name = _NAMES.get(
                protocol, {1: "icmp", 6: "tcp", 17: "udp", 58: "icmp6"}.get(protocol, "")
            )
            shown = name or f"protocol {protocol}"
            return f"{source} > {target}: {shown}, length {len(data)}"
