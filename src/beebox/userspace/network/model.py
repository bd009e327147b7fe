"""A network as plain values: what ``bpf_fib_lookup``, redirects and tunnels are answered from.

Names and numbers are Linux's (rtnetlink(7)). Values are checked where a :class:`Network` is made,
so that what reaches native code is consistent.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import Enum, IntEnum
from ipaddress import (
    IPv4Address,
    IPv4Interface,
    IPv4Network,
    IPv6Address,
    IPv6Interface,
    IPv6Network,
    ip_network,
)
from typing import Final, TypeAlias

from beebox.errors import InputError

Address: TypeAlias = IPv4Address | IPv6Address
Prefix: TypeAlias = IPv4Network | IPv6Network

TABLE_DEFAULT: Final = 253
TABLE_MAIN: Final = 254
TABLE_LOCAL: Final = 255
TABLES: Final = {"default": TABLE_DEFAULT, "main": TABLE_MAIN, "local": TABLE_LOCAL}

IP6_ROUTE_METRIC: Final = 1024  # IP6_RT_PRIO_USER: of an IPv6 route that names none
IP6_CONNECTED_METRIC: Final = 256  # IP6_RT_PRIO_ADDRCONF
MAX_OPTIONS_BYTES: Final = 252
MAX_PREFIXES: Final = 4_000_000  # four full tables of the Internet


class RouteType(Enum):
    """What becomes of a packet (``RTN_*``)."""

    UNICAST = 1
    LOCAL = 2
    BROADCAST = 3
    ANYCAST = 4
    MULTICAST = 5
    BLACKHOLE = 6
    UNREACHABLE = 7
    PROHIBIT = 8
    THROW = 9


class Scope(IntEnum):
    """How far an address or a route reaches (``RT_SCOPE_*``)."""

    GLOBAL = 0
    SITE = 200
    LINK = 253
    HOST = 254
    NOWHERE = 255


class RuleAction(Enum):
    """What a policy rule does (``FR_ACT_*``)."""

    TABLE = 1
    BLACKHOLE = 6
    UNREACHABLE = 7
    PROHIBIT = 8


class NeighbourState(Enum):
    """What is known of a neighbour (``NUD_*``)."""

    INCOMPLETE = 0x01
    REACHABLE = 0x02
    STALE = 0x04
    DELAY = 0x08
    PROBE = 0x10
    FAILED = 0x20
    NOARP = 0x40
    PERMANENT = 0x80

    @property
    def valid(self) -> bool:
        """Whether the link address may be used (``NUD_VALID``)."""
        return self not in {NeighbourState.INCOMPLETE, NeighbourState.FAILED}


class Preference(Enum):
    """A router's preference, RFC 4191: among IPv6 routes of one metric, the highest wins."""

    LOW = 1
    MEDIUM = 2
    HIGH = 3


@dataclass(frozen=True, slots=True)
class InterfaceAddress:
    """An address of an interface, in the order in which ``ip addr`` lists them.

    ``usable`` is false while duplicate detection has not passed.
    """

    interface: IPv4Interface | IPv6Interface
    scope: Scope = Scope.GLOBAL
    secondary: bool = False
    deprecated: bool = False
    temporary: bool = False
    usable: bool = True


@dataclass(frozen=True, slots=True)
class Interface:
    """A network device. ``mac`` has 6 bytes; ``mtu`` counts from the IP header on.

    ``no_neighbours``: a loopback or point-to-point device, whose IPv4 neighbours are all one.
    """

    ifindex: int
    name: str
    mac: bytes = bytes(6)
    mtu: int = 1500
    up: bool = True
    forwarding_v4: bool = True
    forwarding_v6: bool = True
    no_neighbours: bool = False
    addresses: tuple[InterfaceAddress, ...] = ()


@dataclass(frozen=True, slots=True)
class Route:
    """A route; ``ifindex`` 0 where it leads to no device. ``mtu`` counts only if it is locked.

    A gateway may be of the other family. ``source`` is the preferred source address. ``encap``:
    a lightweight tunnel is on it.
    """

    prefix: Prefix
    type: RouteType = RouteType.UNICAST
    ifindex: int = 0
    gateway: Address | None = None
    table: int = TABLE_MAIN
    metric: int = 0
    tos: int = 0
    mtu: int = 0
    mtu_locked: bool = False
    source: Address | None = None
    scope: Scope | None = None
    encap: bool = False
    preference: Preference = Preference.MEDIUM


@dataclass(frozen=True, slots=True)
class Rule:
    """A policy rule; ``source`` and ``destination`` of no length, and 0, match everything."""

    priority: int
    family: int
    source: Prefix
    destination: Prefix
    table: int = TABLE_MAIN
    action: RuleAction = RuleAction.TABLE
    mark: int = 0
    mask: int = 0
    iif: int = 0
    oif: int = 0
    tos: int = 0


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A neighbour's link address."""

    address: Address
    ifindex: int
    mac: bytes = bytes(6)
    state: NeighbourState = NeighbourState.PERMANENT


@dataclass(frozen=True, slots=True)
class TunnelKey:
    """The metadata with which every packet arrives from a tunnel device."""

    id: int
    remote: Address
    local: Address
    tos: int = 0
    ttl: int = 0
    label: int = 0
    flags: int = 0
    options: bytes = b""


AF_INET: Final = 2
AF_INET6: Final = 10


def family_of(what: Address | Prefix) -> int:
    """``AF_INET`` or ``AF_INET6``."""
    return AF_INET if what.version == 4 else AF_INET6


def default_rules(family: int) -> tuple[Rule, ...]:
    """The rules of a new network namespace."""
    everything: Prefix = ip_network("0.0.0.0/0" if family == AF_INET else "::/0")
    tables = [(0, TABLE_LOCAL), (32766, TABLE_MAIN)]
    if family == AF_INET:
        tables.append((32767, TABLE_DEFAULT))
    return tuple(Rule(pref, family, everything, everything, table) for pref, table in tables)


LOOPBACK: Final = Interface(
    1,
    "lo",
    mtu=65536,
    no_neighbours=True,
    forwarding_v4=False,
    forwarding_v6=False,
    addresses=(
        InterfaceAddress(IPv4Interface("127.0.0.1/8"), Scope.HOST),
        InterfaceAddress(IPv6Interface("::1/128"), Scope.HOST),
    ),
)


@dataclass(frozen=True)
class Network:
    """Everything at once. Raises :exc:`InputError` where the parts do not fit each other.

    ``rules`` empty: those that Linux starts with, of that family. A network without interfaces
    gets the loopback device, as a new namespace has it. Packets arrive on interface ``ingress``:
    the loopback device, as in a test run, unless said otherwise.
    """

    interfaces: tuple[Interface, ...] = (LOOPBACK,)
    routes: tuple[Route, ...] = ()
    neighbours: tuple[Neighbour, ...] = ()
    rules: tuple[Rule, ...] = ()
    tunnel: TunnelKey | None = None
    ingress: int = LOOPBACK.ifindex

    def __post_init__(self) -> None:
        known = {each.ifindex for each in self.interfaces}
        if len(known) != len(self.interfaces):
            raise InputError("network: two interfaces with one index")
        if len({each.name for each in self.interfaces}) != len(self.interfaces):
            raise InputError("network: two interfaces with one name")
        for each in self.interfaces:
            _check_interface(each)
        if len(self.routes) > MAX_PREFIXES:
            raise InputError(f"network: {len(self.routes)} routes; {MAX_PREFIXES} at most")
        for route in self.routes:
            _check_route(route, known)
        for row in self.neighbours:
            if row.ifindex not in known or len(row.mac) != 6:
                raise InputError(f"network: neighbour {row.address}: no such interface, or address")

        if self.ingress not in known | {LOOPBACK.ifindex}:
            raise InputError(f"network: packets arrive on {self.ingress}, which is no interface")
        for rule in self.rules:
            _check_rule(rule)
        if self.tunnel is not None:
            _check_tunnel(self.tunnel)

    def interface(self, ifindex: int) -> Interface | None:
        """The interface with this index."""
        return next((each for each in self.interfaces if each.ifindex == ifindex), None)


def _check_interface(each: Interface) -> None:
    if not 0 < each.ifindex < 1 << 31:
        raise InputError(f"network: interface {each.name}: index {each.ifindex} is out of range")
    if len(each.mac) != 6:
        raise InputError(f"network: interface {each.name}: an address has 6 bytes")
    if not 0 < each.mtu < 1 << 31:
        raise InputError(f"network: interface {each.name}: MTU {each.mtu} is out of range")


_WITHOUT_DEVICE: Final = frozenset(
    {RouteType.BLACKHOLE, RouteType.UNREACHABLE, RouteType.PROHIBIT, RouteType.THROW}
)


def _check_route(route: Route, known: set[int]) -> None:
    where = f"network: route {route.prefix}"
    if route.ifindex not in known and (route.ifindex or route.type not in _WITHOUT_DEVICE):
        raise InputError(f"{where}: no such interface")
    if not 0 < route.table < 1 << 32 or not 0 <= route.metric < 1 << 32:
        raise InputError(f"{where}: table or metric is out of range")
    if not 0 <= route.tos < 256 or not 0 <= route.mtu < 1 << 31:
        raise InputError(f"{where}: tos or mtu is out of range")
    if route.gateway is not None and route.prefix.version == 6 and route.gateway.version == 4:
        raise InputError(f"{where}: an IPv6 route has no IPv4 gateway")
    if route.source is not None and route.source.version != route.prefix.version:
        raise InputError(f"{where}: the source is of another family")


def _check_rule(rule: Rule) -> None:
    where = f"network: rule {rule.priority}"
    words = (rule.priority, rule.table, rule.mark, rule.mask, rule.iif, rule.oif)
    if any(not 0 <= word < 1 << 32 for word in words) or not 0 <= rule.tos < 256:
        raise InputError(f"{where}: a number is out of range")
    if {family_of(rule.source), family_of(rule.destination)} != {rule.family}:
        raise InputError(f"{where}: prefixes of another family")


def _check_tunnel(key: TunnelKey) -> None:
    if key.remote.version != key.local.version:
        raise InputError("network: tunnel: remote and local are of two families")
    if not 0 <= key.id < 1 << 64 or any(not 0 <= byte < 256 for byte in (key.tos, key.ttl)):
        raise InputError("network: tunnel: id, tos or ttl is out of range")
    if not 0 <= key.label < 1 << 20 or not 0 <= key.flags < 1 << 16:
        raise InputError("network: tunnel: label or flags are out of range")
    if len(key.options) > MAX_OPTIONS_BYTES or len(key.options) % 4:
        raise InputError(
            f"network: tunnel: options are at most {MAX_OPTIONS_BYTES} bytes, in fours"
        )


def local_routes(interface: Interface) -> Iterable[Route]:
    """The routes that Linux puts into the local table for an interface's addresses."""
    for row in interface.addresses:
        net, own = row.interface.network, row.interface.ip
        base = Route(net, RouteType.LOCAL, interface.ifindex, table=TABLE_LOCAL)
        if isinstance(net, IPv6Network):
            if interface.up:
                yield replace(base, prefix=ip_network(own))
            if interface.up and interface.forwarding_v6 and net.prefixlen < 127:
                subnet = ip_network(net.network_address)  # a router answers to it
                yield replace(base, prefix=subnet, type=RouteType.ANYCAST)
            continue
        base = replace(base, source=own)
        yield replace(base, prefix=ip_network(own), scope=Scope.HOST)
        if own.is_loopback:
            yield replace(base, scope=Scope.HOST)
        if net.prefixlen < 31 and interface.up:
            last = ip_network(net.broadcast_address)
            yield replace(base, prefix=last, type=RouteType.BROADCAST, scope=Scope.LINK)


def connected_routes(interface: Interface) -> Iterable[Route]:
    """The routes that Linux puts into the main table for an interface's addresses."""
    if not interface.up:
        return
    for row in interface.addresses:
        net, own = row.interface.network, row.interface.ip
        if own.is_loopback or net.prefixlen == net.max_prefixlen or row.secondary:
            continue
        if isinstance(net, IPv6Network):
            yield Route(net, ifindex=interface.ifindex, metric=IP6_CONNECTED_METRIC)
        else:
            yield Route(net, ifindex=interface.ifindex, source=own, scope=Scope.LINK)
