"""Random networks: as text for us, as ip(8) commands for Linux, and random questions to them."""

from __future__ import annotations

import random
import re
import subprocess
from dataclasses import dataclass, field
from ipaddress import ip_network

import fib

NAMES = ("vb", "va", "vd", "vc", "vg", "ve")  # pairs, each the peer of the other
FIRST_INDEX = 10
MTUS = (1280, 1400, 1500, 9000)
LOCAL6 = ("2001:db8", "3ffe", "2001:0", "2001:10", "fd00", "2002:a", "fec0")

FAR6 = (
    "fd00:1:1::7",
    "2002:a:1::1",
    "3ffe::1",
    "2001:10::7",
    "2001::8",
    "fec0::1",
    "::1:2:3:4",
    "::5",
    "::ffff:1.2.3.4",
    "::1",
)


@dataclass
class RandomNetwork:
    """``facts`` are lines of a network file, each with the command that makes it so."""

    interfaces: dict[str, str] = field(default_factory=dict)  # what is said of each
    forwarding: dict[str, tuple[str, ...]] = field(default_factory=dict)
    addresses: list[tuple[str, str]] = field(default_factory=list)
    facts: list[tuple[str, str]] = field(default_factory=list)

    def configure(self) -> None:
        """Make this thread's namespace so; facts that ip refuses are dropped."""
        commands = ["link set lo up"]
        for place in range(0, len(NAMES), 2):
            one, other = FIRST_INDEX + place, FIRST_INDEX + place + 1
            commands.append(
                f"link add index {other} {NAMES[place + 1]} address {_mac(other)} type veth"
                f" peer name {NAMES[place]} index {one} address {_mac(one)}"
            )
        for name, said in self.interfaces.items():
            # No link-local addresses of Linux's own: a test would see their checks end or not.
            commands.append(f"link set {name} addrgenmode none")
            commands.append(f"link set {name} {re.search('mtu [0-9]+', said)[0]} up")
        for name, address in self.addresses:
            commands.append(f"addr add {address} dev {name}" + " nodad" * (":" in address))
        assert not _refused(commands)
        six = [command for _, command in self.facts if command.startswith("-6 ")]
        rest = [command for _, command in self.facts if not command.startswith("-6 ")]
        refused = {rest[n] for n in _refused(rest)}
        bare = [command.removeprefix("-6 ") for command in six]
        refused |= {six[n] for n in _refused(bare, "-6")}
        self.facts = [row for row in self.facts if row[1] not in refused]

    def text(self) -> str:
        """The network file."""
        lines = ["interface 1 lo mtu 65536 loopback forwarding off"]
        lines += [f"interface {said}" for said in self.interfaces.values()]
        lines += ["address lo 127.0.0.1/8 scope host", "address lo ::1/128 scope host"]
        # Of one scope, Linux lists an interface's newest IPv6 address first.
        four = [row for row in self.addresses if ":" not in row[1]]
        six = [row for row in self.addresses if ":" in row[1]]
        seen: set[tuple[str, str]] = set()
        for name, address in four:
            net = str(ip_network(address, strict=False))
            lines.append(f"address {name} {address}" + " secondary" * ((name, net) in seen))
            seen.add((name, net))
        site = [row for row in six if row[1].startswith("fec0")]
        other = [row for row in six if not row[1].startswith("fec0")]
        lines += [f"address {name} {address}" for name, address in [*other[::-1], *site[::-1]]]
        return "\n".join([*lines, *(line for line, _ in self.facts)])


def _mac(index: int) -> str:
    return f"02:00:00:00:00:{index:02x}"


def _refused(commands: list[str], *options: str) -> list[int]:
    done = subprocess.run(
        ["ip", *options, "-force", "-batch", "-"],
        input="\n".join(commands),
        text=True,
        capture_output=True,
        check=False,
    )
    return [int(line) - 1 for line in re.findall(r"Command failed -:(\d+)", done.stderr)]


def _prefix4(rng: random.Random) -> str:
    length = rng.choice([0, 8, 9, 12, 14, 16, 18, 20, 22, 23, 24, 25, 28, 31, 32])
    host = f"10.{rng.randrange(4)}.{rng.randrange(4)}.{rng.choice([0, 1, 77, 128, 255])}"
    return str(ip_network((host if length else "0.0.0.0", length), strict=False))


def _prefix6(rng: random.Random) -> str:
    length = rng.choice([0, 16, 32, 40, 44, 48, 52, 64, 64, 80, 127, 128])
    host = f"2001:db8:{rng.randrange(3):x}:{rng.randrange(3):x}::{rng.randrange(4):x}"
    return str(ip_network((host if length else "::", length), strict=False))


def random_network(rng: random.Random) -> RandomNetwork:
    """Six interfaces, a few addresses, 60 routes in 4 tables, neighbours; rules in every other."""
    made = RandomNetwork()
    for place, name in enumerate(NAMES):
        on = rng.choice(["on"] * 5 + ["off", "ipv4", "ipv6"])
        mtu = rng.choice(MTUS)
        index = FIRST_INDEX + place
        made.interfaces[name] = f"{index} {name} mac {_mac(index)} mtu {mtu} forwarding {on}"
        made.forwarding[name] = {"on": ("ipv4", "ipv6"), "off": ()}.get(on, (on,))
    own = set()
    for name in sorted((rng.choice(NAMES) for _ in range(5)), key=NAMES.index):
        host = f"10.{rng.randrange(4)}.{rng.randrange(4)}.{rng.randrange(1, 250)}"
        if host not in own:
            made.addresses.append((name, f"{host}/{rng.choice([8, 16, 22, 24, 30])}"))
        own.add(host)
    nets: set[object] = set()
    for name in sorted((rng.choice(NAMES[:5]) for _ in range(6)), key=NAMES.index):
        host = f"{rng.choice(LOCAL6)}:{rng.randrange(3):x}:{rng.randrange(3):x}::"
        length = rng.choice([48, 64, 64, 120])
        net = ip_network((host, length), strict=False)
        own_host = f"{host}{rng.randrange(1, 9):x}"
        if not {net, own_host} & nets:  # which connected route is older, a file does not tell
            made.addresses.append((name, f"{own_host}/{length}"))
        nets |= {net, own_host}
    taken: set[object] = set()
    for number in range(60):
        _add_route(made, rng, taken, six=number % 2 == 1)
    for _ in range(12):
        gateways = (f"10.{rng.randrange(4)}.0.", "fe80::", "2001:db8::")
        address, name = f"{rng.choice(gateways)}{rng.randrange(1, 5)}", rng.choice(NAMES)
        state = rng.choice(["permanent", "noarp", "reachable", "stale", "failed"])
        said = f"{address} dev {name} lladdr 02:00:00:01:{rng.randrange(99):02d}:01 nud {state}"
        if (address, name) not in taken:
            made.facts.append((f"neigh {said}", f"neigh add {said}"))
        taken.add((address, name))
    if rng.random() < 0.5:
        for number in range(6):
            _add_rule(made, rng, 100 + number)
    return made


def _add_route(made: RandomNetwork, rng: random.Random, taken: set[object], *, six: bool) -> None:
    prefix = _prefix6(rng) if six else _prefix4(rng)
    kind = rng.choice(["unicast"] * 8 + ["blackhole", "unreachable", "prohibit", "throw"])
    table = rng.choice([254, 254, 254, 100, 253, 101])
    metric = rng.choice([1024, 1024, 5, 10, 100] if six else [0, 0, 5, 10, 100])
    tos = 0 if six else rng.choice([0, 0, 0, 0, 4, 8, 0x10, 0x20])
    if (prefix, table, metric, tos) in taken:
        return
    taken.add((prefix, table, metric, tos))
    words = [kind, prefix] if kind != "unicast" else [prefix]
    if kind == "unicast":
        way = rng.randrange(4)
        if way == 1:
            near = f"2001:db8::{rng.randrange(1, 5)}" if six else f"10.{rng.randrange(4)}.0.2"
            words += ["via", near]
        elif way == 2:
            words += [*["via"], *["inet6"] * (not six), f"fe80::{rng.randrange(1, 5)}"]
        words += ["dev", rng.choice(NAMES), *["onlink"] * (way in {1, 2})]
        if rng.random() < 0.4:
            lock = ["lock"] * (rng.random() < 0.5)
            words += ["mtu", *lock, str(rng.choice([1280, 1300, 1450]))]
        if six and rng.random() < 0.3:
            words += ["pref", rng.choice(["low", "high", "medium"])]
    words += ["tos", hex(tos)] * (tos != 0) + ["metric", str(metric)] * (metric != 0)
    said = " ".join([*words, "table", str(table)])
    made.facts.append((f"route {said}", f"route add {said}"))


def _add_rule(made: RandomNetwork, rng: random.Random, priority: int) -> None:
    six = rng.random() < 0.5
    prefix = _prefix6 if six else _prefix4
    words = [f"pref {priority}"]
    if rng.random() < 0.5:
        words.append(f"from {prefix(rng)}")
    if rng.random() < 0.3:
        words.append(f"to {prefix(rng)}")
    if rng.random() < 0.4:
        words.append(rng.choice(["fwmark 0x5", "fwmark 0x1/0x1", "fwmark 0x2/0x2"]))
    if rng.random() < 0.3:
        words.append(f"iif {rng.choice([*NAMES, 'lo'])}")
    if rng.random() < 0.2:
        words.append(f"oif {rng.choice(NAMES)}")
    if rng.random() < 0.2:
        words.append(f"tos {rng.choice(['0x10', '0x8'])}")
    tables = [f"table {number}" for number in (100, 101, 254, 253, 77)]
    words.append(rng.choice([*tables, "blackhole", "prohibit", "unreachable"]))
    said = " ".join(words)
    made.facts.append((f"rule inet{'6' * six} {said}", f"{'-6 ' * six}rule add {said}"))


def random_question(rng: random.Random) -> tuple[bytes, int]:
    """Parameters and flags."""
    here, there = (f"2001:db8:{rng.randrange(3):x}:{rng.randrange(3):x}::" for _ in range(2))
    if rng.random() < 0.5:
        dst = f"{there}{rng.randrange(4):x}"
        if rng.random() < 0.15:
            dst = rng.choice(FAR6)
        src = f"{here}1"
    else:
        dst = f"10.{rng.randrange(4)}.{rng.randrange(4)}.{rng.choice([0, 1, 2, 77, 128, 255])}"
        if rng.random() < 0.1:
            dst = rng.choice(["8.8.8.8", "127.0.0.1"])
        src = f"10.{rng.randrange(4)}.{rng.randrange(4)}.1"
    flags = rng.randrange(64)
    given = fib.params(
        dst,
        rng.choice([10, 11, 12, 13, 14, 15, 1, 99]),
        src=src,
        tot_len=rng.choice([0, 0, 1280, 1281, 1300, 1301, 1400, 1401, 1500, 1501, 9001]),
        tos=rng.choice([0, 0, 4, 8, 0x10, 0x18, 0x20, 0x30, 0xFF]),
        flowinfo=rng.choice([0, 0x01000000, 0x00800000, 0x12345]),
        tbid=rng.choice([0, 100, 253, 254, 255, 77, 101]) if flags & fib.TBID else 0,
        mark=rng.choice([0, 1, 2, 3, 5]),
    )
    return given, flags
