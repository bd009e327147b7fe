"""Network files in both notations; what is wrong or unknown is refused with its place."""

import contextlib
import json
from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from beebox.errors import InputError, NotSupportedError
from beebox.userspace.network.block import NetworkBlock
from beebox.userspace.network.files import parse_network, read_network
from beebox.userspace.network.model import (
    LOOPBACK,
    NeighbourState,
    Network,
    Preference,
    RouteType,
    RuleAction,
    Scope,
)

TEXT = """
# a router
interface 2 eth0 mac 02:00:00:00:00:01 mtu 1500
interface 3 eth1 mac 02:00:00:00:00:02 mtu 1400 forwarding ipv4 down
address eth0 10.0.0.1/24
address eth0 10.0.0.9/24 secondary
address eth0 2001:db8::1/64
route 10.1.0.0/16 via 10.0.0.2 dev eth0 metric 100 mtu lock 1300  # locked
route 10.2.0.0/16 via inet6 2001:db8::2 dev eth0 onlink
route blackhole 10.3.0.0/16 table 7
route default via 10.0.0.3 dev eth0 src 10.0.0.9 tos 0x10
route default via 2001:db8::9 dev eth0 pref high
neigh 10.0.0.2 dev eth0 lladdr 02:00:00:00:00:99 nud stale
rule pref 100 from 10.9.0.0/16 fwmark 0x1/0xff iif eth1 table 7
rule pref 101 to 2001:db8:1::/48 blackhole
tunnel id 7 remote 192.0.2.1 local 192.0.2.2 ttl 64 options 00010203
"""
JSON = {
    "addr": [
        {
            "ifindex": 1,
            "ifname": "lo",
            "flags": ["LOOPBACK", "UP"],
            "mtu": 65536,
            "link_type": "loopback",
            "addr_info": [
                {"local": "127.0.0.1", "prefixlen": 8, "scope": "host"},
                {"local": "::1", "prefixlen": 128, "scope": "host"},
            ],
        },
        {
            "ifindex": 2,
            "ifname": "eth0",
            "flags": ["BROADCAST", "UP"],
            "mtu": 1500,
            "link_type": "ether",
            "address": "02:00:00:00:00:01",
            "addr_info": [{"local": "10.0.0.1", "prefixlen": 24, "scope": "global"}],
        },
    ],
    "route": [
        {"dst": "10.1.0.0/16", "gateway": "10.0.0.2", "dev": "eth0", "metrics": [{"mtu": 1300}]},
        {"dst": "default", "via": {"family": "inet6", "host": "fe80::1"}, "dev": "eth0"},
        {"dst": "default", "gateway": "fe80::1", "dev": "eth0", "pref": "medium", "metric": 3},
        {"type": "local", "dst": "10.0.0.1", "dev": "eth0", "table": "local"},
        {"dst": "10.7.0.0/16", "dev": "eth0", "flags": ["dead", "linkdown"]},
    ],
    "neigh": [
        {"dst": "10.0.0.2", "dev": "eth0", "lladdr": "02:00:00:00:00:99", "state": ["STALE"]}
    ],
    "rule": [
        {"priority": 0, "src": "all", "table": "local"},
        {"priority": 32766, "src": "all", "table": "main"},
        {"priority": 32767, "src": "all", "table": "default"},
    ],
}


def changed(key, place, **values):
    whole = json.loads(json.dumps(JSON))
    whole[key][place] |= values
    return json.dumps(whole)


def test_a_text_says_everything():
    network = parse_network(TEXT)
    lo, eth0, eth1 = network.interfaces
    assert (lo.ifindex, lo.name, lo.mtu, lo.no_neighbours) == (1, "lo", 65536, True)
    assert eth0.mac == bytes.fromhex("020000000001")
    assert [each.secondary for each in eth0.addresses] == [False, True, False]
    assert (eth0.forwarding_v4, eth0.forwarding_v6, eth0.up) == (True, True, True)
    assert (eth1.forwarding_v4, eth1.forwarding_v6, eth1.up) == (True, False, False)
    by_prefix = {str(route.prefix): route for route in network.routes}
    first = by_prefix["10.1.0.0/16"]
    assert (first.gateway, first.metric) == (ip_address("10.0.0.2"), 100)
    assert (first.mtu, first.mtu_locked, first.ifindex) == (1300, True, 2)
    assert by_prefix["10.2.0.0/16"].gateway == ip_address("2001:db8::2")
    assert by_prefix["10.3.0.0/16"].type is RouteType.BLACKHOLE
    assert by_prefix["10.3.0.0/16"].table == 7
    assert by_prefix["0.0.0.0/0"].source == ip_address("10.0.0.9")
    assert by_prefix["0.0.0.0/0"].tos == 0x10
    assert by_prefix["::/0"].preference is Preference.HIGH
    assert by_prefix["::/0"].metric == 1024
    assert network.neighbours[0].state is NeighbourState.STALE
    mine = [rule for rule in network.rules if rule.priority in {100, 101}]
    assert (mine[0].mark, mine[0].mask, mine[0].iif, mine[0].table) == (1, 0xFF, 3, 7)
    assert mine[0].source == ip_network("10.9.0.0/16")
    assert (mine[1].family, mine[1].action) == (10, RuleAction.BLACKHOLE)
    assert network.tunnel is not None
    assert (network.tunnel.id, network.tunnel.ttl) == (7, 64)
    assert network.tunnel.options == bytes(range(4))


def test_addresses_bring_their_routes():
    routes = parse_network(TEXT).routes
    local = {(str(route.prefix), route.type) for route in routes if route.table == 255}
    assert ("10.0.0.1/32", RouteType.LOCAL) in local
    assert ("10.0.0.255/32", RouteType.BROADCAST) in local
    assert ("127.0.0.0/8", RouteType.LOCAL) in local
    assert ("2001:db8::/128", RouteType.ANYCAST) in local
    connected = [route for route in routes if str(route.prefix) == "10.0.0.0/24"]
    assert [(route.source, route.scope) for route in connected] == [
        (ip_address("10.0.0.1"), Scope.LINK)
    ]


def test_what_ip_prints_is_read():
    network = parse_network(json.dumps(JSON))
    assert [each.name for each in network.interfaces] == ["lo", "eth0"]
    assert [str(route.prefix) for route in network.routes] == [
        "10.1.0.0/16",
        "0.0.0.0/0",
        "::/0",
        "10.0.0.1/32",
    ]
    assert network.routes[1].gateway == ip_address("fe80::1")
    assert not network.routes[0].mtu_locked
    assert network.rules == ()  # Linux's own


def test_forwarding_comes_from_netconf():
    whole = JSON | {"netconf": [{"family": "inet", "interface": "eth0", "forwarding": True}]}
    lo, eth0 = parse_network(json.dumps(whole)).interfaces
    assert (lo.forwarding_v4, eth0.forwarding_v4, eth0.forwarding_v6) == (False, True, False)


@pytest.mark.parametrize(
    ("line", "place"),
    [
        ("interface two eth0", "2"),
        ("interface 2 eth0 mtu", "2"),
        ("interface 2 eth0 mac 02:00", "2"),
        ("interface 2 eth0 forwarding maybe", "2"),
        ("address eth7 10.0.0.1/24", "2"),
        ("route 10.0.0.1/24 dev lo", "2"),
        ("route 10.0.0.0/24 dev eth7", "2"),
        ("route 10.0.0.0/24 dev lo metric -1", "2"),
        ("route 10.0.0.0/24 dev lo nexthop via 10.0.0.1", "2"),
        ("neigh 10.0.0.300 dev lo lladdr 02:00:00:00:00:01", "2"),
        ("neigh 10.0.0.3 dev lo lladdr 02:00:00:00:00:01 nud happy", "2"),
        ("rule from 10.0.0.0/8 sport 80 table 7", "2"),
        ("rule iif eth7 table 7", "2"),
        ("gateway 10.0.0.1", "2"),
    ],
)
def test_a_wrong_line_is_named(line, place):
    with pytest.raises(InputError) as caught:
        parse_network(f"# first\n{line}\n", file="net.txt")
    assert f"{place}" in str(caught.value).split("net.txt", 1)[1][:12]


@pytest.mark.parametrize(
    "line",
    [
        "interface 2 eth0 mtu 4294967296",
        "interface 4294967296 eth0",
        "rule fwmark 0x100000000 table 7",
        "rule from 10.0.0.0/8 to 2001:db8::/32 table 7",
        "tunnel id 1 remote 1.1.1.1 local 1.1.1.2 ttl 256",
        "tunnel id 1 remote 1.1.1.1 local 1.1.1.2 options 010203",
        "route blackhole 10.0.0.0/8 metric 4294967296",
        "route blackhole 10.0.0.0/8 tos 256",
    ],
)
def test_numbers_out_of_range_are_refused(line):
    with pytest.raises(InputError) as caught:
        parse_network(line, file="net.txt")
    assert str(caught.value).startswith("net.txt:")


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "{}",
        '{"addr": 3}',
        '{"addr": [3]}',
        '{"links": []}',
        changed("addr", 1, mtu="big"),
        changed("addr", 1, ifindex=1),
        changed("addr", 1, ifname="lo"),
        changed("addr", 1, address="02"),
        changed("addr", 1, flags=3),
        changed("route", 0, dst="10.1.0.1/16"),
        changed("route", 0, gateway="here"),
        changed("route", 0, dev="eth7"),
        changed("route", 0, metric=-1),
        changed("route", 0, table=0),
        changed("route", 2, gateway="10.0.0.1"),
        changed("neigh", 0, state=["HAPPY"]),
        json.dumps(JSON | {"tunnel": {"id": 1, "remote": "1.1.1.1", "local": "::1"}}),
        json.dumps(JSON | {"tunnel": {"id": 1, "remote": "1.1.1.1"}}),
    ],
)
def test_wrong_json_is_refused(text):
    with pytest.raises(InputError):
        parse_network(text)


@pytest.mark.parametrize(
    "text",
    [
        changed("route", 0, nexthops=[{"gateway": "10.0.0.2"}]),
        changed("route", 0, nhid=7),
        changed("route", 0, congctl="bbr"),
        changed("rule", 0, sport=80),
        changed("rule", 0, action="goto"),
        changed("route", 0, type="xresolve"),
    ],
)
def test_what_is_not_modelled_is_refused_by_name(text):
    with pytest.raises(NotSupportedError):
        parse_network(text)


def test_files(tmp_path):
    file = tmp_path / "net.txt"
    file.write_text(TEXT)
    assert read_network(file) == parse_network(TEXT)
    with pytest.raises(InputError):
        read_network(tmp_path / "none")
    file.write_bytes(b"interface \xff")
    with pytest.raises(InputError):
        read_network(file)


def test_no_file_at_all_is_a_new_namespace():
    assert Network().interfaces == (LOOPBACK,)
    assert parse_network("").interfaces[0].name == "lo"


NUMBERS = [str(number) for number in (-1, 256, 1 << 16, 1 << 31, 1 << 32, 1 << 64)]
words = st.sampled_from([*TEXT.split(), *NUMBERS, "{", '"', "/", "::"])


@given(st.lists(st.lists(words, max_size=8).map(" ".join), max_size=6).map("\n".join))
def test_any_text_is_a_network_or_an_error(text):
    with contextlib.suppress(InputError, NotSupportedError):
        NetworkBlock(parse_network(text))


values = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from([0, -1, 1 << 16, 1 << 31, 1 << 32, (1 << 64) - 1, 1 << 64]),
    st.text(max_size=5),
    st.just([]),
)


@given(st.sampled_from(TEXT.strip().splitlines()), st.data())
def test_any_changed_line_is_a_network_or_an_error(line, data):
    parts = line.split()
    parts[data.draw(st.integers(0, len(parts) - 1))] = data.draw(words)
    text = TEXT.replace(line, " ".join(parts))
    with contextlib.suppress(InputError, NotSupportedError):
        NetworkBlock(parse_network(text))


@given(st.sampled_from(["addr", "route", "neigh", "rule"]), st.data())
def test_any_json_is_a_network_or_an_error(key, data):
    whole = json.loads(json.dumps(JSON))
    row = data.draw(st.sampled_from(whole[key]))
    row[data.draw(st.sampled_from(sorted(row)))] = data.draw(values)
    with contextlib.suppress(InputError, NotSupportedError):
        NetworkBlock(parse_network(json.dumps(whole)))
