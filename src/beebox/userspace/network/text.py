"""Networks as text, in ip(8)'s words, one thing a line; ``#`` starts a comment.

    interface 2 eth0 mac 02:00:00:00:00:01 mtu 1500
    address eth0 10.0.0.1/24
    route 10.1.0.0/16 via 10.0.0.2 dev eth0 metric 100
    route blackhole 10.3.0.0/16
    neigh 10.0.0.2 dev eth0 lladdr 02:00:00:00:00:02
    rule pref 100 from 10.9.0.0/16 fwmark 0x1/0xff table 100
    tunnel id 7 remote 192.0.2.1 local 192.0.2.2
    arrive eth0

A line becomes the row that ``ip -j`` would print, which :mod:`~beebox.userspace.network.iproute`
then reads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from beebox.errors import InputError

Row = dict[str, Any]

_LOOPBACK: Final = {
    "ifindex": 1,
    "ifname": "lo",
    "flags": ["LOOPBACK", "UP"],
    "link_type": "loopback",
    "mtu": 65536,
    "addr_info": [
        {"family": "inet", "local": "127.0.0.1", "prefixlen": 8, "scope": "host"},
        {"family": "inet6", "local": "::1", "prefixlen": 128, "scope": "host"},
    ],
}
_STANDING_RULES: Final = {
    "rule": ((0, "local"), (32766, "main"), (32767, "default")),
    "rule6": ((0, "local"), (32766, "main")),
}
_TYPES: Final = frozenset(
    [
        "unicast",
        "local",
        "broadcast",
        "anycast",
        "multicast",
        "blackhole",
        "unreachable",
        "prohibit",
        "throw",
    ]
)


class _Line:
    """The words of one line, taken from left to right."""

    def __init__(self, file: str, number: int, words: list[str]) -> None:
        self._where = f"{file}:{number}"
        self._words: Iterator[str] = iter(words)
        self.number = number

    def refuse(self, problem: str) -> InputError:
        return InputError(f"{self._where}: {problem}")

    def take(self, what: str) -> str:
        word = next(self._words, None)
        if word is None:
            raise self.refuse(f"the line ends where {what} is wanted")
        return word

    def rest(self) -> Iterator[str]:
        return self._words


def rows(text: str, *, file: str) -> Mapping[str, Any]:
    """The lists that the lines make. Raises :exc:`InputError` with the line."""
    whole: dict[str, list[Row]] = {
        key: []
        for key in ("addr", "route", "neigh", "rule", "rule6", "netconf", "tunnel", "arrive")
    }
    for number, raw in enumerate(text.splitlines(), start=1):
        words = raw.partition("#")[0].split()
        if not words:
            continue
        line = _Line(file, number, words[1:])
        reader = _READERS.get(words[0])
        if reader is None:
            known = ", ".join(_READERS)
            raise line.refuse(f"a line starts with one of {known} (not {words[0]!r})")
        reader(line, whole)
    if not any(row["ifname"] == "lo" or row["ifindex"] == "1" for row in whole["addr"]):
        whole["addr"].insert(0, dict(_LOOPBACK))
    for key, tables in _STANDING_RULES.items():  # a file says what comes beside them
        if whole[key]:
            whole[key] += [{"priority": pref, "src": "all", "table": t} for pref, t in tables]
    single = {"tunnel", "arrive"}
    found: dict[str, Any] = {key: value for key, value in whole.items() if key not in single}
    if whole["arrive"]:
        found["arrive"] = whole["arrive"][-1]["dev"]
    if whole["tunnel"]:
        found["tunnel"] = whole["tunnel"][-1]
    return found


def _interface(line: _Line, whole: Mapping[str, list[Row]]) -> None:
    row: Row = {"ifindex": line.take("an index"), "ifname": line.take("a name"), "mtu": 1500}
    name, kind, up = row["ifname"], "ether", True
    flags = []
    forwards = {"inet": True, "inet6": True}
    for word in line.rest():
        match word:
            case "mac" | "address":
                row["address"] = line.take("a MAC address")
            case "mtu":
                row["mtu"] = line.take("an MTU")
            case "up" | "down":
                up = word == "up"
            case "loopback" | "pointopoint":
                flags.append(word.upper())
            case "forwarding":
                value = line.take("on, off, ipv4 or ipv6")
                if value not in {"on", "off", "ipv4", "ipv6"}:
                    raise line.refuse(f"forwarding is on, off, ipv4 or ipv6 (not {value!r})")
                forwards = {"inet": value in {"on", "ipv4"}, "inet6": value in {"on", "ipv6"}}
            case _:
                raise line.refuse(f"{word!r} is not said of an interface")
    row |= {"flags": [*flags, *["UP"] * up], "link_type": kind, "addr_info": []}
    row["line"] = line.number
    whole["addr"].append(row)
    whole["netconf"].extend(
        {"family": family, "interface": name, "forwarding": on} for family, on in forwards.items()
    )


def _address(line: _Line, whole: Mapping[str, list[Row]]) -> None:
    name = line.take("an interface")
    owner = next((row for row in whole["addr"] if row["ifname"] == name), None)
    if owner is None:
        raise line.refuse(f"there is no interface {name} above")
    local, _, length = line.take("an address").partition("/")
    row: Row = {"local": local, "prefixlen": length or ("128" if ":" in local else "32")}
    for word in line.rest():
        match word:
            case "scope":
                row["scope"] = line.take("a scope")
            case "secondary" | "deprecated" | "temporary" | "tentative":
                row[word] = True
            case _:
                raise line.refuse(f"{word!r} is not said of an address")
    owner["addr_info"].append(row)


def _route(line: _Line, whole: Mapping[str, list[Row]]) -> None:
    row: Row = {"line": line.number}
    first = line.take("a prefix")
    if first in _TYPES:
        row["type"] = first
        first = line.take("a prefix")
    row["dst"] = first
    for word in line.rest():
        match word:
            case "via":
                host = line.take("a gateway")
                if host in {"inet", "inet6"}:
                    host = line.take("a gateway")
                row["via"] = {"host": host}
            case "dev" | "table" | "metric" | "scope" | "tos" | "pref" | "encap":
                row[word] = line.take(f"the {word}")
            case "src":
                row["prefsrc"] = line.take("an address")
            case "mtu":
                value = line.take("an MTU")
                lock = value == "lock"
                row["metrics"] = [{"mtu": line.take("an MTU") if lock else value, "lock": lock}]
            case "proto":
                line.take("a protocol")
            case "onlink" | "dead" | "linkdown":
                row.setdefault("flags", []).append(word)
            case _:
                raise line.refuse(f"{word!r} is not modelled of a route")
    if row["dst"] == "default" and ":" in str(row.get("via", {}).get("host", "")):
        row.setdefault("pref", "medium")
    whole["route"].append(row)


def _neigh(line: _Line, whole: Mapping[str, list[Row]]) -> None:
    row: Row = {"line": line.number, "dst": line.take("an address"), "lladdr": "00:00:00:00:00:00"}
    for word in line.rest():
        match word:
            case "dev" | "lladdr":
                row[word] = line.take(f"the {word}")
            case "nud":
                row["state"] = [line.take("a state").upper()]
            case "router" | "proxy" | "extern_learn":
                pass
            case _ if word.isupper():
                row["state"] = [word]
            case _:
                raise line.refuse(f"{word!r} is not said of a neighbour")
    whole["neigh"].append(row)


def _rule(line: _Line, whole: Mapping[str, list[Row]]) -> None:
    row: Row = {"line": line.number, "src": "all"}
    key = "rule"
    for word in line.rest():
        match word:
            case "inet" | "inet6":
                key = "rule6" if word == "inet6" else "rule"
            case "pref" | "priority":
                row["priority"] = line.take("a priority")
            case "from" | "to":
                prefix = line.take("a prefix")
                row["src" if word == "from" else "dst"] = prefix
                key = "rule6" if ":" in prefix else key
            case "fwmark":
                mark, _, mask = line.take("a mark").partition("/")
                row |= {"fwmark": mark, **({"fwmask": mask} if mask else {})}
            case "iif" | "oif" | "tos" | "table":
                row[word] = line.take(f"the {word}")
            case "lookup":
                row["table"] = line.take("a table")
            case "blackhole" | "unreachable" | "prohibit":
                row["action"] = word
            case _:
                raise line.refuse(f"{word!r} is not modelled of a rule")
    whole[key].append(row)


def _tunnel(line: _Line, whole: Mapping[str, list[Row]]) -> None:
    row: Row = {}
    for word in line.rest():
        if word not in {"id", "remote", "local", "tos", "ttl", "label", "flags", "options"}:
            raise line.refuse(f"{word!r} is not said of a tunnel")
        row[word] = line.take(f"the {word}")
    whole["tunnel"].append(row)


def _arrive(line: _Line, whole: Mapping[str, list[Row]]) -> None:
    whole["arrive"].append({"dev": line.take("an interface")})


_READERS: Final[Mapping[str, Callable[[_Line, Mapping[str, list[Row]]], None]]] = {
    "interface": _interface,
    "address": _address,
    "route": _route,
    "neigh": _neigh,
    "rule": _rule,
    "tunnel": _tunnel,
    "arrive": _arrive,
}
