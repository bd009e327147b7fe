"""What the words of a filter mean on Ethernet: protocols, hosts, nets, ports (pcap-filter(7))."""

from __future__ import annotations

from collections.abc import Sequence
from types import MappingProxyType
from typing import Final, Literal, TypeAlias

from beebox.lib.filter.conditions import (
    Base,
    Binary,
    Compare,
    Condition,
    Field,
    Length,
    Number,
    Value,
    every,
    some,
)

ETHERTYPES: Final = MappingProxyType(
    {
        "ip": 0x0800,
        "arp": 0x0806,
        "rarp": 0x8035,
        "ip6": 0x86DD,
    }
)
LEAST_ETHERTYPE: Final = 1501
"""Below: a length, behind which a protocol is named otherwise."""
IP_PROTOCOLS: Final = MappingProxyType(
    {
        "icmp": 1, "igmp": 2, "tcp": 6, "udp": 17, "gre": 47, "esp": 50, "ah": 51, "icmp6": 58,
        "ipv6-icmp": 58, "ospf": 89, "pim": 103, "vrrp": 112, "sctp": 132,
    }
)  # fmt: skip
PORTS: Final = MappingProxyType(
    {
        "ftp-data": 20, "ftp": 21, "ssh": 22, "telnet": 23, "smtp": 25, "domain": 53,
        "bootps": 67, "bootpc": 68, "tftp": 69, "http": 80, "kerberos": 88, "pop3": 110,
        "sunrpc": 111, "ntp": 123, "imap": 143, "snmp": 161, "bgp": 179, "ldap": 389,
        "https": 443, "syslog": 514, "ldaps": 636, "imaps": 993, "mdns": 5353,
    }
)  # fmt: skip
CONSTANTS: Final = MappingProxyType(
    {
        "tcpflags": 13, "tcp-fin": 1, "tcp-syn": 2, "tcp-rst": 4, "tcp-push": 8, "tcp-ack": 16,
        "tcp-urg": 32, "tcp-ece": 64, "tcp-cwr": 128,
        "icmptype": 0, "icmpcode": 1, "icmp-echoreply": 0, "icmp-unreach": 3,
        "icmp-sourcequench": 4, "icmp-redirect": 5, "icmp-echo": 8, "icmp-routeradvert": 9,
        "icmp-routersolicit": 10, "icmp-timxceed": 11, "icmp-paramprob": 12, "icmp-tstamp": 13,
        "icmp-tstampreply": 14, "icmp-ireq": 15, "icmp-ireqreply": 16, "icmp-maskreq": 17,
        "icmp-maskreply": 18,
        "icmp6type": 0, "icmp6code": 1, "icmp6-destinationunreach": 1, "icmp6-packettoobig": 2,
        "icmp6-timeexceeded": 3, "icmp6-parameterproblem": 4, "icmp6-echo": 128,
        "icmp6-echoreply": 129, "icmp6-multicastlistenerquery": 130,
        "icmp6-multicastlistenerreportv1": 131, "icmp6-multicastlistenerdone": 132,
        "icmp6-routersolicit": 133, "icmp6-routeradvert": 134, "icmp6-neighborsolicit": 135,
        "icmp6-neighboradvert": 136, "icmp6-redirect": 137,
    }
)  # fmt: skip
VLAN_ETHERTYPES: Final = (0x8100, 0x88A8, 0x9100)
PORT_PROTOCOLS: Final = ("tcp", "udp", "sctp")
_FRAGMENT_HEADER: Final = 44

Direction: TypeAlias = Literal["src", "dst", "src or dst", "src and dst"]


class Frame:
    """Conditions on a frame behind ``vlans`` VLAN tags."""

    def __init__(self, vlans: int) -> None:
        self._vlans = vlans

    def field(self, base: Base, offset: Value, size: int) -> Field:
        """Bytes of the frame."""
        return Field(base, offset, size, self._vlans)

    def _is(self, base: Base, offset: int, size: int, value: int) -> Condition:
        return Compare("=", self.field(base, Number(offset), size), Number(value))

    def _network(self, offset: int, size: int, value: int) -> Condition:
        return self._is(Base.NETWORK, offset, size, value)

    def ethertype(self, value: int) -> Condition:
        """The frame's type."""
        return self._is(Base.LINK, 12 + 4 * self._vlans, 2, value)

    def link(self, name: str) -> Condition:
        """The frame's type by name."""
        return self.ethertype(ETHERTYPES[name])

    def vlan(self, number: int | None) -> Condition:
        """A VLAN tag here, with this number."""
        tagged = some(*(self.ethertype(value) for value in VLAN_ETHERTYPES))
        if number is None:
            return tagged
        control = Binary("&", self.field(Base.NETWORK, Number(0), 2), Number(0x0FFF))
        return every(tagged, Compare("=", control, Number(number)))

    def ip_protocol(self, value: int) -> Condition:
        """An IPv4 packet of a protocol."""
        return every(self.link("ip"), self._network(9, 1, value))

    def ip6_protocol(self, value: int) -> Condition:
        """An IPv6 packet of a protocol, at once or behind a fragment header."""
        direct = self._network(6, 1, value)
        behind = every(self._network(6, 1, _FRAGMENT_HEADER), self._network(40, 1, value))
        return every(self.link("ip6"), some(direct, behind))

    def protocol(self, name: str) -> Condition:
        """A protocol above IP by name, in the versions of IP that have it."""
        value = IP_PROTOCOLS[name]
        match name:
            case "icmp" | "igmp" | "vrrp":
                return self.ip_protocol(value)
            case "icmp6":
                return self.ip6_protocol(value)
            case _:
                return some(self.ip_protocol(value), self.ip6_protocol(value))

    def first_fragment(self) -> Condition:
        """An IPv4 packet's first or only fragment."""
        place = Binary("&", self.field(Base.NETWORK, Number(6), 2), Number(0x1FFF))
        return Compare("=", place, Number(0))

    def _masked(self, base: Base, offset: int, words: Sequence[tuple[int, int, int]]) -> Condition:
        """Fields one after the other, each of (bytes, value, mask)."""
        tests: list[Condition] = []
        for size, value, mask in words:
            if mask:
                field: Value = self.field(base, Number(offset), size)
                if mask != (1 << 8 * size) - 1:
                    field = Binary("&", field, Number(mask))
                tests.append(Compare("=", field, Number(value)))
            offset += size
        return every(*tests) if tests else Compare("=", Number(0), Number(0))

    def _either(
        self,
        direction: Direction,
        base: Base,
        places: tuple[int, int],
        words: Sequence[tuple[int, int, int]],
    ) -> Condition:
        """Words at a source's place, at a destination's, at either or both."""
        source, destination = (self._masked(base, place, words) for place in places)
        match direction:
            case "src":
                return source
            case "dst":
                return destination
            case "src or dst":
                return some(source, destination)
            case "src and dst":
                return every(source, destination)

    def net(self, link: str, direction: Direction, address: int, mask: int) -> Condition:
        """IPv4 addresses in packets of ``ip``, ``arp`` or ``rarp``."""
        places = (12, 16) if link == "ip" else (14, 24)
        words = [(4, address, mask)]
        return every(self.link(link), self._either(direction, Base.NETWORK, places, words))

    def net6(self, direction: Direction, address: int, mask: int) -> Condition:
        """IPv6 addresses."""
        words = [
            (4, address >> shift & 0xFFFFFFFF, mask >> shift & 0xFFFFFFFF)
            for shift in (96, 64, 32, 0)
        ]
        return every(self.link("ip6"), self._either(direction, Base.NETWORK, (8, 24), words))

    def mac(self, direction: Direction, address: int) -> Condition:
        """Ethernet addresses."""
        words = [(2, address >> 32, 0xFFFF), (4, address & 0xFFFFFFFF, 0xFFFFFFFF)]
        return self._either(direction, Base.LINK, (6, 0), words)

    def ports(
        self, protocols: Sequence[str], direction: Direction, low: int, high: int
    ) -> Condition:
        """Ports from ``low`` to ``high``; of IPv6 only where the protocol follows at once."""
        numbers = [IP_PROTOCOLS[name] for name in protocols]
        six = every(
            self.link("ip6"),
            some(*(self._network(6, 1, number) for number in numbers)),
            self._port(direction, Base.NETWORK, (40, 42), low, high),
        )
        four = every(
            self.link("ip"),
            some(*(self._network(9, 1, number) for number in numbers)),
            self.first_fragment(),
            self._port(direction, Base.TRANSPORT, (0, 2), low, high),
        )
        return some(six, four)

    def _port(
        self, direction: Direction, base: Base, places: tuple[int, int], low: int, high: int
    ) -> Condition:
        if low == high:
            return self._either(direction, base, places, [(2, low, 0xFFFF)])
        source, destination = (
            every(
                Compare(">=", self.field(base, Number(place), 2), Number(low)),
                Compare("<=", self.field(base, Number(place), 2), Number(high)),
            )
            for place in places
        )
        match direction:
            case "src":
                return source
            case "dst":
                return destination
            case "src or dst":
                return some(source, destination)
            case "src and dst":
                return every(source, destination)

    def multicast(self, link: str) -> Condition:
        """Sent to a group."""
        match link:
            case "ip":
                first = self.field(Base.NETWORK, Number(16), 1)
                return every(self.link("ip"), Compare(">=", first, Number(224)))
            case "ip6":
                return every(self.link("ip6"), self._network(24, 1, 0xFF))
            case _:
                first = self.field(Base.LINK, Number(0), 1)
                return Compare("!=", Binary("&", first, Number(1)), Number(0))

    def bytes_of(self, name: str, offset: Value, size: int) -> tuple[Condition | None, Field]:
        """``name[offset:size]``: what must hold of the packet for it, and the field."""
        match name:
            case "ether":
                return None, self.field(Base.LINK, offset, size)
            case "ip" | "ip6" | "arp" | "rarp":
                return self.link(name), self.field(Base.NETWORK, offset, size)
            case "icmp6":
                guard = every(self.link("ip6"), self._network(6, 1, IP_PROTOCOLS[name]))
                return guard, self.field(Base.NETWORK, Binary("+", offset, Number(40)), size)
            case _:
                guard = every(self.ip_protocol(IP_PROTOCOLS[name]), self.first_fragment())
                return guard, self.field(Base.TRANSPORT, offset, size)


def length(operator: Literal["<=", ">="], value: int) -> Condition:
    """The packet's length on the wire."""
    return Compare(operator, Length(), Number(value))
