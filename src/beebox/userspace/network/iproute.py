"""Networks as ``ip -j`` tells them: one JSON object, a key for each of its lists.

    addr, link     ip -j addr            interfaces and their addresses
    route          ip -j route show table all (or only the main tables')
    neigh          ip -j neigh
    rule, rule6    ip -j rule, ip -j -6 rule
    netconf        ip -j netconf         forwarding; without it every interface forwards
    arrive         "eth0"                where packets arrive
    tunnel         {"id": 7, "remote": "192.0.2.1", "local": "192.0.2.2", ...}

Nothing of the text is believed: each value is checked for its kind, and what a route or rule says
beyond what is modelled (several next hops, ports, VRFs, ...) is refused by name.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from ipaddress import ip_address, ip_interface, ip_network
from typing import Any, Final, NoReturn

from beebox.errors import InputError, NotSupportedError
from beebox.userspace.network.model import (
    AF_INET,
    AF_INET6,
    IP6_ROUTE_METRIC,
    TABLE_LOCAL,
    TABLE_MAIN,
    TABLES,
    Address,
    Interface,
    InterfaceAddress,
    Neighbour,
    NeighbourState,
    Network,
    Preference,
    Prefix,
    Route,
    RouteType,
    Rule,
    RuleAction,
    Scope,
    TunnelKey,
    connected_routes,
    default_rules,
    family_of,
    local_routes,
)

Row = Mapping[str, Any]

_KEYS: Final = frozenset(
    {"addr", "link", "route", "neigh", "rule", "rule6", "netconf", "tunnel", "arrive"}
)
_ROUTE_KEYS: Final = frozenset(
    [
        "type",
        "dst",
        "gateway",
        "via",
        "dev",
        "table",
        "protocol",
        "scope",
        "prefsrc",
        "flags",
        "metric",
        "tos",
        "metrics",
        "pref",
        "encap",
        "expires",
        "cacheinfo",
        "error",  # of IPv6 routes that refuse: their type says it
        "used",
        "users",
        "age",
        "line",
    ]
)
_RULE_KEYS: Final = frozenset(
    [
        "priority",
        "src",
        "srclen",
        "dst",
        "dstlen",
        "table",
        "action",
        "fwmark",
        "fwmask",
        "iif",
        "oif",
        "tos",
        "protocol",
        "iif_detached",
        "oif_detached",
        "line",
    ]
)
_SCOPES: Final = {text: each for each in Scope for text in (each.name.lower(), str(each.value))}
_TYPES: Final = {text: each for each in RouteType for text in (each.name.lower(), str(each.value))}
_REFUSALS: Final = (RuleAction.BLACKHOLE, RuleAction.UNREACHABLE, RuleAction.PROHIBIT)
_ACTIONS: Final = {
    text: action for action in _REFUSALS for text in (action.name.lower(), str(action.value))
}
_DSCP: Final = {  # iproute2's names, as values of the TOS byte
    "default": 0,
    **{f"CS{number}": number << 5 for number in range(1, 8)},
    **{f"AF{a}{b}": (a << 3 | b << 1) << 2 for a in range(1, 5) for b in range(1, 4)},
    "EF": 0xB8,
}


def parse(text: str, *, file: str) -> Network:
    """The network that a JSON text describes. Raises :exc:`InputError`."""
    try:
        whole = json.loads(text, object_pairs_hook=_first_of_each)
    except (ValueError, RecursionError) as cause:
        raise InputError(f"{file}: not JSON: {cause}") from None
    return network(whole, file=file, connected=isinstance(whole, dict) and "route" not in whole)


def _first_of_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object; ip says ``dst`` of a route, and then again of the tunnel on it."""
    return dict(reversed(pairs))


def network(whole: object, *, file: str, connected: bool) -> Network:
    """The network that ip's lists make.

    ``connected``: the routes that an interface's addresses bring are added. Those of the local
    table always are, where the lists hold none. Rows may say their ``line``, for errors.
    """
    return _Reader(file, connected=connected).network(whole)


def _where(row: Row, place: str) -> str:
    """A row's place: its line, where the text has lines."""
    return f"line {row['line']}" if isinstance(row.get("line"), int) else place


class _Reader:
    def __init__(self, file: str, *, connected: bool) -> None:
        self.file = file
        self.connected = connected
        self.indices: dict[str, int] = {}
        self.impatient: set[tuple[str, str]] = set()  # family, interface: no carrier, no route

    def refuse(self, where: str, problem: str) -> NoReturn:
        raise InputError(f"{self.place(where)}: {problem}")

    def lacks(self, where: str, feature: str) -> NoReturn:
        raise NotSupportedError(f"{self.place(where)}: {feature}")

    def place(self, where: str) -> str:
        """The file and a line, or the file and a place in it."""
        line = where.removeprefix("line ")
        return f"{self.file}:{line}" if line != where else f"{self.file}: {where}"

    def network(self, whole: object) -> Network:
        """The whole."""
        if not isinstance(whole, dict):
            self.refuse("top", "an object of ip's lists is wanted: {'addr': [...], 'route': ...}")
        for key in whole:
            if key not in _KEYS:
                self.refuse(f"{key!r}", f"no such list; there are {', '.join(sorted(_KEYS))}")
        rows = self.rows(whole, "addr") or self.rows(whole, "link")
        if not rows:
            self.refuse("addr", "a network has interfaces (ip -j addr)")
        netconf = self.rows(whole, "netconf")
        forwarding = self.forwarding(netconf)
        self.impatient = {
            (str(row.get("family")), str(row.get("interface")))
            for row in netconf
            if row.get("ignore_routes_with_linkdown") is True
        }
        interfaces = [self.interface(row, place, forwarding) for place, row in enumerate(rows)]
        self.indices = {each.name: each.ifindex for each in interfaces}
        routes = [
            route
            for place, row in enumerate(self.rows(whole, "route"))
            if (route := self.route(row, _where(row, f"route {place}"))) is not None
        ]
        if self.connected:
            routes += [route for each in interfaces for route in connected_routes(each)]
        if not any(route.table == TABLE_LOCAL for route in routes):
            routes += [route for each in interfaces for route in local_routes(each)]
        neighbours = [
            self.neighbour(row, _where(row, f"neigh {place}"))
            for place, row in enumerate(self.rows(whole, "neigh"))
            if row.get("dst") is not None and row.get("lladdr") is not None
        ]
        rules: list[Rule] = []
        for key, family in (("rule", AF_INET), ("rule6", AF_INET6)):
            own = [
                self.rule(row, _where(row, f"{key} {place}"), family)
                for place, row in enumerate(self.rows(whole, key))
            ]
            rules += own if tuple(own) != default_rules(family) else []
        tunnel = whole.get("tunnel")
        key = self.tunnel(tunnel) if tunnel is not None else None
        ingress = self.index(whole["arrive"], "arrive") if "arrive" in whole else 1
        lists = tuple(interfaces), tuple(routes), tuple(neighbours), tuple(rules)
        try:
            return Network(*lists, key, ingress)
        except InputError as error:
            problem = str(error).removeprefix("network: ")
            raise InputError(f"{self.file}: {problem}") from None

    def rows(self, whole: Row, key: str) -> Sequence[Row]:
        """One of ip's lists; the empty objects that it leaves for other families are dropped."""
        found = whole.get(key, [])
        if not isinstance(found, list) or any(not isinstance(row, dict) for row in found):
            self.refuse(key, "a list of objects is wanted")
        return [row for row in found if row]

    # ---- interfaces

    def forwarding(self, rows: Sequence[Row]) -> Mapping[tuple[str, str], bool] | None:
        if not rows:
            return None
        return {
            (str(row.get("family")), str(row.get("interface"))): bool(row.get("forwarding"))
            for row in rows
        }

    def interface(
        self, row: Row, place: int, forwarding: Mapping[tuple[str, str], bool] | None
    ) -> Interface:
        name = self.text(row, "ifname", _where(row, f"addr {place}"))
        where = _where(row, f"addr {name}")
        flags = row.get("flags", [])
        if not isinstance(flags, list):
            self.refuse(where, "flags are a list")
        kind = str(row.get("link_type", "ether"))
        mac = self.mac(row, "address", where) if kind in {"ether", "loopback"} else bytes(6)
        forwards = [
            forwarding is None or forwarding.get((family, name), False)
            for family in ("inet", "inet6")
        ]
        return Interface(
            ifindex=self.number(row, "ifindex", where),
            name=name,
            mac=mac,
            mtu=self.number(row, "mtu", where),
            up="UP" in flags,
            forwarding_v4=forwards[0],
            forwarding_v6=forwards[1],
            no_neighbours=bool({"LOOPBACK", "POINTOPOINT"} & set(map(str, flags))),
            addresses=tuple(self.addresses(row, where)),
        )

    def addresses(self, row: Row, where: str) -> Iterator[InterfaceAddress]:
        for info in self.rows(row, "addr_info"):
            local = self.text(info, "local", where)
            length = self.number(info, "prefixlen", where)
            try:
                interface = ip_interface(f"{local}/{length}")
            except ValueError as cause:
                self.refuse(where, str(cause))
            yield InterfaceAddress(
                interface,
                self.scope(info.get("scope", "global"), where),
                secondary=bool(info.get("secondary")),
                deprecated=bool(info.get("deprecated")),
                temporary=bool(info.get("temporary")),
                usable=not (info.get("tentative") or info.get("dadfailed")),
            )

    # ---- routes

    def route(self, row: Row, where: str) -> Route | None:
        """A route; None for one that is out of use (its link is down)."""
        prefix = self.prefix(row, "dst", self.family(row), where)
        flags = row.get("flags", [])
        flags = flags if isinstance(flags, list) else []
        ends = "inet" if prefix.version == 4 else "inet6", str(row.get("dev"))
        if "dead" in flags or ("linkdown" in flags and ends in self.impatient):
            return None
        where = where if where.startswith("line ") else f"{where} ({prefix})"
        if "nexthops" in row or "nhid" in row:
            self.lacks(where, "several next hops, of which Linux picks by a random key,")
        for key in row:
            if key not in _ROUTE_KEYS and "encap" not in row:
                self.lacks(where, f"{key!r} of a route")
        kind = self.kind(row.get("type", "unicast"), where)
        device = row.get("dev")
        family = family_of(prefix)
        default = IP6_ROUTE_METRIC if family == AF_INET6 else 0
        metrics = self.rows(row, "metrics")
        mtu = next((self.number(each, "mtu", where) for each in metrics if "mtu" in each), 0)
        locked = any(each.get("lock") for each in metrics)
        pref = str(row.get("pref", "medium")).upper()
        if pref not in Preference.__members__:
            self.refuse(where, f"preference {pref.lower()}")
        return Route(
            prefix,
            kind,
            ifindex=self.index(device, where) if device is not None else 0,
            gateway=self.gateway(row, where),
            table=self.table(row.get("table", TABLE_MAIN), where),
            metric=self.number(row, "metric", where, default),
            tos=self.tos(row, where),
            mtu=mtu,
            mtu_locked=locked,  # ip -j does not tell it; a file may say it
            source=self.address(row["prefsrc"], where) if "prefsrc" in row else None,
            scope=self.scope(row["scope"], where) if "scope" in row else None,
            encap="encap" in row,
            preference=Preference[pref],
        )

    def family(self, row: Row) -> int:
        """The family of a route to ``default``, by what else it says; IPv6 routes have ``pref``."""
        if str(row.get("dst")) not in {"default", "all"}:
            return AF_INET
        return AF_INET6 if "pref" in row else AF_INET

    def gateway(self, row: Row, where: str) -> Address | None:
        via = row.get("via")
        if isinstance(via, dict):
            return self.address(via.get("host"), where)
        return self.address(row["gateway"], where) if "gateway" in row else None

    def neighbour(self, row: Row, where: str) -> Neighbour:
        states = row.get("state", [])
        name = str(states[0]) if isinstance(states, list) and states else "PERMANENT"
        if name not in NeighbourState.__members__:
            self.refuse(where, f"there is no state {name}")
        return Neighbour(
            self.address(row.get("dst"), where),
            self.index(row.get("dev"), where),
            self.mac(row, "lladdr", where),
            NeighbourState[name],
        )

    def rule(self, row: Row, where: str, family: int) -> Rule:
        for key in row:
            if key not in _RULE_KEYS:
                self.lacks(where, f"{key!r} of a rule")
        action = str(row["action"]) if "action" in row else None
        if action is not None and action not in _ACTIONS:
            self.lacks(where, f"the action {action!r}")
        mark = self.number(row, "fwmark", where, 0)
        mask = self.number(row, "fwmask", where, 0xFFFF_FFFF if "fwmark" in row else 0)
        return Rule(
            self.number(row, "priority", where, 0),
            family,
            self.rule_prefix(row, "src", family, where),
            self.rule_prefix(row, "dst", family, where),
            self.table(row.get("table", TABLE_MAIN), where),
            _ACTIONS[action] if action is not None else RuleAction.TABLE,
            mark,
            mask,
            self.index(row["iif"], where) if "iif" in row else 0,
            self.index(row["oif"], where) if "oif" in row else 0,
            self.tos(row, where),
        )

    def rule_prefix(self, row: Row, key: str, family: int, where: str) -> Prefix:
        text = str(row.get(key, "all"))
        if text != "all" and f"{key}len" in row:
            text = f"{text}/{self.number(row, f'{key}len', where)}"
        return self.prefix({key: text}, key, family, where)

    def tunnel(self, row: object) -> TunnelKey:
        where = "tunnel"
        if not isinstance(row, dict):
            self.refuse(where, "an object is wanted")
        remote, local = (self.address(row.get(key), where) for key in ("remote", "local"))
        try:
            options = bytes.fromhex(str(row.get("options", "")))
        except ValueError:
            self.refuse(where, "options are hex digits")
        return TunnelKey(
            self.number(row, "id", where, 0),
            remote,
            local,
            tos=self.number(row, "tos", where, 0),
            ttl=self.number(row, "ttl", where, 0),
            label=self.number(row, "label", where, 0),
            flags=self.number(row, "flags", where, 0),
            options=options,
        )

    # ---- values

    def text(self, row: Row, key: str, where: str) -> str:
        value = row.get(key)
        if not isinstance(value, str):
            self.refuse(where, f"{key} is wanted as a text")
        return value

    def number(self, row: Row, key: str, where: str, default: int | None = None) -> int:
        value = row.get(key, default)
        if isinstance(value, str):
            try:
                value = int(value, 0)
            except ValueError:
                value = None
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 1 << 64:
            self.refuse(where, f"{key} is wanted as a number")
        return value

    def tos(self, row: Row, where: str) -> int:
        value = row.get("tos")
        if isinstance(value, str) and value in _DSCP:
            return _DSCP[value]
        return self.number(row, "tos", where, 0)

    def mac(self, row: Row, key: str, where: str) -> bytes:
        text = str(row.get(key, "00:00:00:00:00:00"))
        try:
            found = bytes.fromhex(text.replace(":", ""))
        except ValueError:
            found = b""
        if len(found) != 6:
            self.refuse(where, f"{text} is no Ethernet address")
        return found

    def address(self, text: object, where: str) -> Address:
        try:
            return ip_address(str(text))
        except ValueError:
            self.refuse(where, f"{text} is no IP address")

    def prefix(self, row: Row, key: str, family: int, where: str) -> Prefix:
        text = str(row.get(key))
        if text in {"default", "all"}:
            text = "0.0.0.0/0" if family == AF_INET else "::/0"
        try:
            return ip_network(text)
        except ValueError as cause:
            self.refuse(where, str(cause))

    def index(self, name: object, where: str) -> int:
        if str(name) not in self.indices:
            self.refuse(where, f"there is no interface {name}")
        return self.indices[str(name)]

    def table(self, value: object, where: str) -> int:
        if isinstance(value, str) and value in TABLES:
            return TABLES[value]
        return self.number({"table": value}, "table", where)

    def scope(self, value: object, where: str) -> Scope:
        found = _SCOPES.get(str(value))
        if found is None:
            self.lacks(where, f"the scope {value}")
        return found

    def kind(self, value: object, where: str) -> RouteType:
        found = _TYPES.get(str(value))
        if found is None:
            self.lacks(where, f"the route type {value}")
        return found
