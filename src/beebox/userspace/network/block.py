"""A network as one block of memory that native code reads: sorted arrays, searched by halving.

A table's prefixes are flattened to the addresses where the longest matching prefix changes (its
*starts*), each naming a node; a node lists its prefix's routes, best first, and the node of the
next shorter prefix, where a lookup goes on if none of them will do.

Numbers are little-endian, addresses of memory are offsets from the block's start, IP addresses
are numbers in host order.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from ipaddress import IPv4Address, IPv6Address, ip_network
from types import MappingProxyType
from typing import Final

import numpy as np

from beebox.userspace.network.model import (
    AF_INET,
    AF_INET6,
    LOOPBACK,
    TABLE_LOCAL,
    TABLE_MAIN,
    Interface,
    Network,
    Route,
    RouteType,
    Rule,
    RuleAction,
    Scope,
    family_of,
    local_routes,
)
from beebox.vm.memory import Buffer

NONE: Final = 0xFFFF_FFFF
_U64: Final = (1 << 64) - 1

HEADER: Final = MappingProxyType(
    {
        "INTERFACES": 0,
        "NEIGHBOURS4": 8,
        "NEIGHBOURS6": 16,
        "TABLES": 24,
        "RULES4": 32,
        "RULES6": 40,
        "SOURCES6": 48,
        "NODES": 56,
        "ROUTES": 64,
    }
)
"""Arrays by name: where the header has an array's count (u32) and start (u32)."""
INGRESS: Final = MappingProxyType({"INGRESS_MAC": 72, "INGRESS_BROADCAST": 80})
"""The arriving device's own and broadcast addresses: 6 bytes each, in the header."""
_HEADER_BYTES: Final = 128

INTERFACE: Final = struct.Struct("<III6s14x")
"""Index, MTU, flags, MAC address."""
INTERFACE_FIELDS: Final = MappingProxyType(
    {"IF_INDEX": 0, "IF_MTU": 4, "IF_FLAGS": 8, "IF_MAC": 12, "IF_BYTES": 32}
)
IF_UP: Final = 1
IF_FORWARD4: Final = 2
IF_FORWARD6: Final = 4
IF_NO_NEIGHBOURS: Final = 8

NEIGHBOUR4: Final = struct.Struct("<Q6s2x")
"""Interface index above address, MAC address."""
NEIGHBOUR6: Final = struct.Struct("<QQI6s6x")
"""Address (high half, low half), interface index, MAC address."""

TABLE: Final = struct.Struct("<IIIIII")
"""Number, family, count and start of its starts, start of their index (0: none), 0."""
INDEXED_FROM: Final = 64
"""From so many starts on, an IPv4 table has an index: for each upper half of an address, and one
beyond, the place (u32) of the start that holds its first address."""
START4: Final = struct.Struct("<II")
START6: Final = struct.Struct("<QQII")
"""An address, and the node from there on (:data:`NONE`: none); starts are in ascending order."""
NODE: Final = struct.Struct("<IIII")
"""First route, count, the next shorter prefix's node, prefix length."""

ROUTE: Final = struct.Struct("<IIIIIIIIQQQQ")
"""Type, TOS, metric, interface (its place in the array), gateway's family, locked MTU, flags,
preference, gateway (high, low half; IPv4: low), source address."""
ROUTE_ENCAP: Final = 1
ROUTE_SOURCE: Final = 2

RULE: Final = struct.Struct("<IIIIIIIIQQQQQQQQ")
"""Action, table, mark, mask, input, output interface, TOS, 0; source and its mask, destination and
its mask: 16 bytes each (high, low half; IPv4: low)."""

SOURCE6: Final = struct.Struct("<QQIIIIII")
"""An own IPv6 address (high, low half), interface index, prefix length, scope, label, flags, 0."""
SOURCE_DEPRECATED: Final = 1
SOURCE_TEMPORARY: Final = 2

CONSTANTS: Final = MappingProxyType(
    {
        **HEADER,
        **INGRESS,
        **INTERFACE_FIELDS,
        "NEIGHBOUR4_BYTES": NEIGHBOUR4.size,
        "NEIGHBOUR6_BYTES": NEIGHBOUR6.size,
        "TABLE_BYTES": TABLE.size,
        "START4_BYTES": START4.size,
        "START6_BYTES": START6.size,
        "NODE_BYTES": NODE.size,
        "ROUTE_BYTES": ROUTE.size,
        "RULE_BYTES": RULE.size,
        "SOURCE6_BYTES": SOURCE6.size,
    }
)
"""What ``source/fib.py`` is compiled with."""


class NetworkBlock:
    """The block of one network, at :attr:`address` while this object lives; nobody writes it."""

    def __init__(self, network: Network) -> None:
        data = encode(network)
        self.network = network
        self._buffer = Buffer(len(data))
        self._buffer.view[:] = data
        self.address = self._buffer.address
        self.size = len(data)


@cache
def default_network() -> NetworkBlock:
    """What a new network namespace has: the loopback device, which forwards nothing."""
    return NetworkBlock(Network(routes=tuple(local_routes(LOOPBACK))))


@dataclass(slots=True)
class _Arrays:
    """The arrays that tables share."""

    nodes: list[bytes]
    routes: list[bytes]


def encode(network: Network) -> bytes:
    """The block's bytes."""
    interfaces = sorted(network.interfaces, key=lambda each: each.ifindex)
    places = {each.ifindex: place for place, each in enumerate(interfaces)}
    shared = _Arrays([], [])
    tables = sorted(_tables(network).items())
    made: dict[int, bytes] = {}  # by the list of routes: two tables may have one
    for (family, _), routes in tables:
        if id(routes) not in made:
            made[id(routes)] = _flatten(family, routes, shared, interfaces, places)
    out = bytearray(_HEADER_BYTES)
    ingress = network.interface(network.ingress)
    if ingress is not None and not ingress.no_neighbours:
        for name, address in (("INGRESS_MAC", ingress.mac), ("INGRESS_BROADCAST", b"\xff" * 6)):
            out[INGRESS[name] : INGRESS[name] + 6] = address

    def put(name: str, rows: Sequence[bytes]) -> None:
        struct.pack_into("<II", out, HEADER[name], len(rows), len(out))
        out.extend(b"".join(rows))
        out.extend(bytes(-len(out) % 8))

    put("INTERFACES", [_interface(each) for each in interfaces])
    put("NEIGHBOURS4", sorted(_neighbours4(network), key=_number))
    put("NEIGHBOURS6", _neighbours6(network))
    put("RULES4", [_rule(rule) for rule in _rules(network, AF_INET)])
    put("RULES6", [_rule(rule) for rule in _rules(network, AF_INET6)])
    put("SOURCES6", [row for each in interfaces for row in _sources6(each)])
    put("NODES", shared.nodes)
    put("ROUTES", shared.routes)
    where: dict[int, tuple[int, int, int]] = {}
    for key, starts in made.items():
        family = next(row[0][0] for row in tables if id(row[1]) == key)
        count = len(starts) // (START4.size if family == AF_INET else START6.size)
        at = len(out)
        out.extend(starts)
        out.extend(bytes(-len(out) % 8))
        where[key] = count, at, 0
        if family == AF_INET and count >= INDEXED_FROM:
            where[key] = count, at, len(out)
            out.extend(_index4(starts))
            out.extend(bytes(-len(out) % 8))
    rows = [
        TABLE.pack(number, family, *where[id(routes)], 0) for (family, number), routes in tables
    ]
    put("TABLES", rows)
    return bytes(out)


# ---- tables


def _tables(network: Network) -> dict[tuple[int, int], list[Route]]:
    """Routes by family and table.

    As Linux keeps them: without rules of one's own, IPv4's local and main table are one.
    """
    up = {each.ifindex for each in network.interfaces if each.up}
    merged = not any(rule.family == AF_INET for rule in network.rules)
    found: dict[tuple[int, int], list[Route]] = {
        (AF_INET, TABLE_MAIN): [],
        (AF_INET, TABLE_LOCAL): [],
        (AF_INET6, TABLE_MAIN): [],
        (AF_INET6, TABLE_LOCAL): [],
    }
    for route in network.routes:
        family = family_of(route.prefix)
        rows = found.setdefault((family, route.table), [])
        stays = route.type is RouteType.LOCAL and family == AF_INET  # an own address, even then
        if not route.ifindex or route.ifindex in up or stays:
            rows.append(route)
    if merged:
        both = found[AF_INET, TABLE_LOCAL] + found[AF_INET, TABLE_MAIN]
        found[AF_INET, TABLE_MAIN] = found[AF_INET, TABLE_LOCAL] = both
    return found


def _flatten(
    family: int,
    routes: Sequence[Route],
    shared: _Arrays,
    interfaces: Sequence[Interface],
    places: Mapping[int, int],
) -> bytes:
    """A table's starts; its nodes and routes are added to the shared arrays."""
    prefixes: dict[tuple[int, int], list[Route]] = {}
    for route in routes:
        key = int(route.prefix.network_address), route.prefix.prefixlen
        prefixes.setdefault(key, []).append(route)
    width = 32 if family == AF_INET else 128
    top = 1 << width
    starts: dict[int, int] = {0: NONE}
    open_: list[tuple[int, int]] = []  # (end, node) of the prefixes around, the longest last

    def close(until: int) -> None:
        while open_ and open_[-1][0] <= until:
            end, _ = open_.pop()
            if end < top:
                starts[end] = open_[-1][1] if open_ else NONE

    for address, length in sorted(prefixes):
        close(address)
        rows = sorted(prefixes[address, length], key=_order)
        parent = open_[-1][1] if open_ else NONE
        node = len(shared.nodes)
        shared.nodes.append(NODE.pack(len(shared.routes), len(rows), parent, length))
        shared.routes += [_route(row, interfaces, places) for row in rows]
        starts[address] = node
        open_.append((address + (1 << (width - length)), node))
    close(top)
    rows_of = sorted(starts.items())
    if family == AF_INET:
        return b"".join(START4.pack(address, node) for address, node in rows_of)
    return b"".join(START6.pack(*_halves(address), node, 0) for address, node in rows_of)


def _index4(starts: bytes) -> bytes:
    addresses = np.frombuffer(starts, dtype="<u4")[::2]
    firsts = np.arange(1 << 16, dtype=np.uint64) << np.uint64(16)
    places = np.searchsorted(addresses.astype(np.uint64), firsts, side="right") - 1
    return np.append(places, len(addresses) - 1).astype("<u4").tobytes()


def _order(route: Route) -> tuple[int, ...]:
    """Which of one prefix's routes Linux looks at first."""
    if route.prefix.version == 6:
        return (route.metric,)
    return -route.table, -(route.tos & ~3), route.metric


def _route(route: Route, interfaces: Sequence[Interface], places: Mapping[int, int]) -> bytes:
    flags = ROUTE_ENCAP if route.encap else 0
    source = route.source
    if source is None and route.prefix.version == 4 and route.ifindex:
        source = _select_source4(route, interfaces, interfaces[places[route.ifindex]])
    if source is not None:
        flags |= ROUTE_SOURCE
    gateway = route.gateway
    return ROUTE.pack(
        route.type.value,
        route.tos & ~3,
        route.metric,
        places.get(route.ifindex, NONE),
        family_of(gateway) if gateway is not None else 0,
        route.mtu if route.mtu_locked else 0,
        flags,
        route.preference.value,
        *_halves(int(gateway) if gateway is not None else 0),
        *_halves(int(source) if source is not None else 0),
    )


def _select_source4(
    route: Route, interfaces: Sequence[Interface], device: Interface
) -> IPv4Address | None:
    """``inet_select_addr``: the device's first address in reach, one beside the gateway first.

    Else any other device's.
    """
    scope = route.scope
    if scope is None:
        scope = Scope.GLOBAL if route.gateway is not None else Scope.LINK
    first: IPv4Address | None = None
    for row in device.addresses:
        if isinstance(row.interface.ip, IPv6Address) or row.secondary or row.scope > scope:
            continue
        if isinstance(route.gateway, IPv4Address) and route.gateway not in row.interface.network:
            first = first or row.interface.ip
            continue
        return row.interface.ip
    if first is not None:
        return first
    for each in interfaces:
        for row in each.addresses:
            own = row.interface.ip
            usable = not row.secondary and row.scope <= scope and row.scope != Scope.LINK
            if isinstance(own, IPv4Address) and usable:
                return own
    return None


# ---- the other arrays


def _interface(each: Interface) -> bytes:
    flags = (
        IF_UP * each.up
        | IF_FORWARD4 * each.forwarding_v4
        | IF_FORWARD6 * each.forwarding_v6
        | IF_NO_NEIGHBOURS * each.no_neighbours
    )
    return INTERFACE.pack(each.ifindex, each.mtu, flags, each.mac)


def _neighbours4(network: Network) -> list[bytes]:
    rows: dict[int, bytes] = {}
    for each in network.interfaces:
        if each.no_neighbours:  # one entry for all, made on demand, with the device's own address
            rows[each.ifindex << 32] = bytes(6)
    for row in network.neighbours:
        if row.state.valid and isinstance(row.address, IPv4Address):
            rows[row.ifindex << 32 | int(row.address)] = row.mac
    return [NEIGHBOUR4.pack(key, mac) for key, mac in rows.items()]


def _number(row: bytes) -> int:
    return int.from_bytes(row[:8], "little")


def _neighbours6(network: Network) -> list[bytes]:
    rows = {
        (int(row.address), row.ifindex): row.mac
        for row in network.neighbours
        if row.state.valid and row.address.version == 6
    }
    return [
        NEIGHBOUR6.pack(*_halves(address), ifindex, mac)
        for (address, ifindex), mac in sorted(rows.items())
    ]


def _rules(network: Network, family: int) -> list[Rule]:
    """A family's rules in their order; none where they are Linux's own."""
    return sorted(
        (rule for rule in network.rules if rule.family == family), key=lambda rule: rule.priority
    )


def _rule(rule: Rule) -> bytes:
    ends: list[int] = []
    for prefix in (rule.source, rule.destination):
        mask = int(prefix.netmask)
        ends += [*_halves(int(prefix.network_address)), *_halves(mask)]
    table = rule.table if rule.action is RuleAction.TABLE else 0
    numbers = (rule.mark, rule.mask, rule.iif, rule.oif, rule.tos & ~3, 0)
    return RULE.pack(rule.action.value, table, *numbers, *ends)


_LABELS: Final = tuple(  # Linux's address label table, the most specific first
    (ip_network(prefix), label)
    for prefix, label in (
        ("::1/128", 0),
        ("::ffff:0:0/96", 4),
        ("::/96", 3),
        ("2001:10::/28", 7),
        ("2001::/32", 6),
        ("2002::/16", 2),
        ("fc00::/7", 5),
        ("fec0::/10", 11),
        ("3ffe::/16", 12),
    )
)
_SCOPES: Final = (("fe80::/10", 2), ("fec0::/10", 5), ("::1/128", 2))
GLOBAL_SCOPE: Final = 14


def _sources6(each: Interface) -> list[bytes]:
    rows = []
    for row in each.addresses:
        own = row.interface.ip
        if own.version == 4 or not row.usable or own.is_multicast or own.is_unspecified:
            continue
        label = next((label for prefix, label in _LABELS if own in prefix), 1)
        nets = ((ip_network(prefix), scope) for prefix, scope in _SCOPES)
        scope = next((scope for prefix, scope in nets if own in prefix), GLOBAL_SCOPE)
        flags = SOURCE_DEPRECATED * row.deprecated | SOURCE_TEMPORARY * row.temporary
        length = row.interface.network.prefixlen
        rows.append(SOURCE6.pack(*_halves(int(own)), each.ifindex, length, scope, label, flags, 0))
    return rows


def _halves(number: int) -> tuple[int, int]:
    return number >> 64, number & _U64
