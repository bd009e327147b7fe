"""bpf_fib_lookup in both engines and in Linux: every return code, field and flag.

Linux answers from a network namespace, ours from what ``ip -j`` tells of that namespace.
"""

from contextlib import contextmanager

import fib
import namespaces
import pytest
from fib import DIRECT, MARK, OUTPUT, SKIP_NEIGH, SRC, TBID

from beebox.userspace.network.files import parse_network

pytestmark = pytest.mark.linux

SUCCESS, BLACKHOLE, UNREACHABLE, PROHIBIT, NOT_FWDED, FWD_DISABLED = range(6)
UNSUPP_LWT, NO_NEIGH, FRAG_NEEDED, NO_SRC_ADDR = range(6, 10)
ENODEV, EINVAL, EAFNOSUPPORT = 19, 22, 97

LINKS = """
link set lo up
link add va type veth peer name vb
link add vc type veth peer name vd
link set va addrgenmode none
link set vb addrgenmode none
link set vc addrgenmode none
link set vd addrgenmode none
link set va address 02:00:00:00:00:0a up
link set vb up
link set vc address 02:00:00:00:00:0c mtu 1400 up
link set vd up
"""
ROUTES = """
addr add 10.0.0.1/24 dev va
addr add 10.0.0.9/24 dev va
addr add 10.0.1.1/24 dev va
addr add 10.50.0.1/30 dev vc
addr add 2001:db8::1/64 dev va nodad
addr add 2001:db8:ff::1/64 dev vc nodad
route add 10.1.0.0/16 via 10.0.0.2 dev va metric 100
route add 10.2.0.0/16 via inet6 2001:db8::5 dev va mtu 1300
route add blackhole 10.3.0.0/16
route add unreachable 10.4.0.0/16
route add prohibit 10.5.0.0/16
route add throw 10.6.0.0/16
route add 10.7.0.0/16 tos 0x10 via 10.0.0.3
route add 10.7.0.0/16 via 10.0.1.4
route add 10.7.0.0/16 via 10.0.1.5 metric 5
route add 10.8.0.0/16 dev vc
route add 10.10.0.0/16 via 10.0.0.3 dev va src 10.0.1.1
route add 10.11.0.0/16 dev vc table 100
route add 10.6.6.0/24 via 10.0.0.3 table 253
route add default via 10.50.0.2
route add 2001:db8:1::/48 via 2001:db8::2
route add 2001:db8:1:1::/64 via 2001:db8::3 metric 5
route add 2001:db8:1:1::/64 dev vc metric 50
route add blackhole 2001:db8:3::/48
route add unreachable 2001:db8:4::/48
route add prohibit 2001:db8:5::/48
route add throw 2001:db8:6::/48
route add 2001:db8:7::/48 dev vc src 2001:db8::1
route add default via 2001:db8:ff::9
neigh add 10.0.0.2 dev va lladdr 02:00:00:00:00:02 nud permanent
neigh add 10.0.0.3 dev va lladdr 02:00:00:00:00:03 nud stale
neigh add 10.0.1.4 dev va nud failed
neigh add 10.0.1.5 dev va lladdr 02:00:00:00:00:55 nud reachable
neigh add 10.50.0.2 dev vc lladdr 02:00:00:00:05:02 nud noarp
neigh add 2001:db8::5 dev va lladdr 02:00:00:00:66:05 nud permanent
neigh add 2001:db8::2 dev va lladdr 02:00:00:00:66:02 nud permanent
"""
IPV4 = [
    "10.0.0.1",
    "10.0.0.2",
    "10.0.0.3",
    "10.0.0.255",
    "10.0.1.4",
    "10.1.2.3",
    "10.2.3.4",
    "10.3.0.1",
    "10.4.1.1",
    "10.5.1.1",
    "10.6.1.1",
    "10.6.6.6",
    "10.7.1.1",
    "10.8.1.1",
    "10.10.1.1",
    "10.11.1.1",
    "10.50.0.2",
    "127.0.0.1",
    "127.1.1.1",
    "224.0.0.1",
    "255.255.255.255",
    "0.0.0.0",
    "8.8.8.8",
]
IPV6 = [
    "2001:db8::1",
    "2001:db8::2",
    "2001:db8::5",
    "2001:db8::",
    "2001:db8:1::1",
    "2001:db8:1:1::1",
    "2001:db8:3::1",
    "2001:db8:4::1",
    "2001:db8:5::1",
    "2001:db8:6::1",
    "2001:db8:7::1",
    "2001:db8:ff::9",
    "2002::1",
    "fe80::1",
    "ff02::1",
    "::1",
]


@contextmanager
def network(commands=ROUTES, forwarding=("lo", "va", "vc")):
    """A namespace with two veth pairs, and what it holds as ours."""
    with namespaces.namespace():
        namespaces.ip(LINKS + commands)
        for name in forwarding:
            namespaces.forward(name, "ipv4", "ipv6")
        yield parse_network(namespaces.description())


def index(net, name):
    return next(each.ifindex for each in net.interfaces if each.name == name)


@pytest.mark.parametrize("section", ["xdp", "tc"])
def test_every_flag_on_every_kind_of_route(section):
    codes = set()
    with network() as net, fib.everywhere(net, section) as ask:
        for device in ("va", "vb", "vc", "lo"):
            for dst in IPV4 + IPV6:
                for flags in range(64):
                    if device != "va" and flags not in {0, DIRECT, OUTPUT, SRC, OUTPUT | SRC}:
                        continue
                    given = fib.params(dst, index(net, device), mark=5)
                    codes.add(ask(given, flags).returned)
    assert codes == set(range(8)) - {UNSUPP_LWT}


@pytest.mark.parametrize("section", ["xdp", "tc"])
@pytest.mark.parametrize("pad", [0, 1280])
def test_lengths_are_held_against_the_mtu(section, pad):
    found = set()
    with network() as net, fib.everywhere(net, section, pad=pad) as ask:
        for dst in ("10.1.2.3", "10.2.3.4", "10.50.0.2", "2001:db8::2", "2001:db8:7::1"):
            for tot_len in (0, 1, 1300, 1301, 1400, 1401, 1500, 1501, 65535):
                for flags in (0, SKIP_NEIGH):
                    given = fib.params(dst, index(net, "va"), tot_len=tot_len)
                    found.add(ask(given, flags).returned)
    assert found == {SUCCESS, NO_NEIGH, FRAG_NEEDED}


def test_a_packet_longer_than_the_device_takes_is_refused_by_its_own_length():
    small = ROUTES + "link set va mtu 1280\n"
    for pad, code in ((1280 + 14 + 4 - 80, SUCCESS), (1280 + 14 + 4 - 79, FRAG_NEEDED)):
        with network(small) as net, fib.everywhere(net, "tc", pad=pad) as ask:
            answer = ask(fib.params("10.1.2.3", index(net, "va")))
            assert (answer.returned, answer.tot_len) == (code, 1280)


def test_only_a_locked_mtu_of_a_route_counts():
    commands = ROUTES + "route add 10.12.0.0/16 dev vc mtu lock 700\n"
    commands += "route add 2001:db8:12::/48 dev vc mtu lock 1290\n"
    found = set()
    with network(commands) as net:
        told = namespaces.description()  # in which ip does not say that an MTU is locked
        for mtu in (700, 1290):
            told = told.replace(f'{{"mtu":{mtu}}}', f'{{"mtu":{mtu},"lock":true}}')
        with fib.everywhere(parse_network(told)) as ask:
            for dst in ("10.12.0.1", "10.2.3.4", "2001:db8:12::1"):
                for tot_len in (700, 701, 1290, 1291, 1301):
                    given = fib.params(dst, index(net, "va"), tot_len=tot_len)
                    answer = ask(given, SKIP_NEIGH)
                    found.add((dst, answer.returned, answer.tot_len))
    assert {(SUCCESS, 1500), (SUCCESS, 700), (FRAG_NEEDED, 1290)} <= {row[1:] for row in found}


def test_tables_by_number():
    with network() as net, fib.everywhere(net) as ask:
        for dst in (
            "10.11.1.1",
            "10.0.0.1",
            "10.1.2.3",
            "10.6.6.6",
            "2001:db8::1",
            "2001:db8:1::1",
        ):
            for tbid in (0, 100, 253, 254, 255, 77, 1 << 31):
                for flags in (DIRECT, DIRECT | TBID, DIRECT | TBID | OUTPUT, TBID):
                    ask(fib.params(dst, index(net, "va"), tbid=tbid), flags)


@pytest.mark.parametrize("tos", [0, 3, 4, 0x10, 0x13, 0x1C, 0x30, 0xF0, 0xFF])
def test_routes_by_type_of_service(tos):
    with network() as net, fib.everywhere(net) as ask:
        ask(fib.params("10.7.1.1", index(net, "va"), tos=tos), SKIP_NEIGH)


RULES = """
rule add pref 10 fwmark 0x1/0x3 table 100
rule add pref 11 from 10.9.0.0/16 to 10.8.0.0/16 blackhole
rule add pref 12 from 10.9.0.0/16 prohibit
rule add pref 13 iif vc unreachable
rule add pref 14 to 10.1.2.0/24 tos 0x10 table 100
rule add pref 15 oif vc table 77
-6 rule add pref 10 fwmark 0x1/0x3 table 100
-6 rule add pref 11 from 2001:db8:9::/48 table 100
-6 rule add pref 12 to 2001:db8:1::/48 tos 0x10 blackhole
-6 rule add pref 13 iif lo to 2001:db8:7::/48 prohibit
route add 2001:db8::/32 dev vc table 100
"""


def test_policy_rules():
    codes = set()
    with network(ROUTES + RULES) as net, fib.everywhere(net) as ask:
        for device in ("va", "vc"):
            for flags in (0, MARK, OUTPUT, DIRECT, MARK | OUTPUT, DIRECT | TBID):
                for mark in (0, 1, 2, 5):
                    for dst, src in (
                        ("10.11.1.1", None),
                        ("10.8.1.1", "10.9.0.1"),
                        ("10.1.2.3", "10.9.0.1"),
                        ("10.1.2.3", None),
                        ("10.0.0.1", None),
                        ("2001:db8:1::1", None),
                        ("2001:db8:7::1", "2001:db8:9::1"),
                        ("2001:db8:7::1", None),
                    ):
                        for tos in (0, 0x10):
                            given = fib.params(
                                dst,
                                index(net, device),
                                src=src,
                                mark=mark,
                                tos=tos,
                                flowinfo=tos << 20,
                                tbid=255 if flags & TBID else 0,
                            )
                            codes.add(ask(given, flags).returned)
    assert codes == {SUCCESS, NO_NEIGH, BLACKHOLE, PROHIBIT, NOT_FWDED}


def test_numbers_instead_of_names_say_the_same():
    with network(ROUTES + RULES):
        named = parse_network(namespaces.description())
        numbers = parse_network(namespaces.description(numeric=True))
        assert numbers.routes == named.routes
        assert numbers.rules == named.rules
        assert numbers.interfaces == named.interfaces
        assert len(named.rules) == 6 + 3 + 4 + 2


def test_forwarding_is_by_interface_and_family():
    with network(forwarding=("va",)) as net, fib.everywhere(net) as ask:
        for device, code in (("va", SUCCESS), ("vb", FWD_DISABLED), ("lo", FWD_DISABLED)):
            for dst in ("10.1.2.3", "2001:db8:1::1"):
                assert ask(fib.params(dst, index(net, device))).returned == code
        for dst in ("10.1.2.3", "2001:db8:1::1"):
            assert ask(fib.params(dst, 999)).returned == -ENODEV


def test_a_device_that_is_down_leads_nowhere():
    with network() as net:
        namespaces.ip("link set va down")
        told = parse_network(namespaces.description())
        with fib.everywhere(told) as ask:
            for dst in ("10.1.2.3", "10.0.0.1", "10.0.0.2", "2001:db8:1::1", "2001:db8::1"):
                ask(fib.params(dst, index(net, "vc")), SRC)


@pytest.mark.parametrize("ignoring", ["0", "1"])
def test_a_link_without_carrier_may_lead_on(ignoring):
    codes = set()
    with network() as net:
        namespaces.ip("link set vb down")
        for family in ("ipv4", "ipv6"):
            namespaces.setting(family, "va", "ignore_routes_with_linkdown", ignoring)
        namespaces.wait_for_linkdown("va")  # Linux tells its routes a little later
        told = parse_network(namespaces.description())
        with fib.everywhere(told) as ask:
            for dst in ("10.1.2.3", "10.0.0.1", "10.0.0.2", "2001:db8:1::1", "2001:db8::1"):
                codes.add(ask(fib.params(dst, index(net, "vc")), SKIP_NEIGH).returned)
    assert codes == {SUCCESS, NOT_FWDED}


def test_lightweight_tunnels_are_not_followed():
    commands = ROUTES + "route add 10.12.0.0/16 encap ip id 7 dst 192.0.2.1 dev vc\n"
    with network(commands) as net, fib.everywhere(net) as ask:
        assert ask(fib.params("10.12.0.1", index(net, "va"))).returned == UNSUPP_LWT


def test_no_source_address_to_be_found():
    bare = "addr del ::1/128 dev lo\nlink set va addrgenmode none\nlink set va down\n"
    bare += "link set va up\nroute add 2001:db8:1::/48 dev va\n"
    with network("", forwarding=()):
        for name in ("vb", "vc", "vd"):
            namespaces.ip(f"link set {name} down")
        namespaces.ip(bare)
        namespaces.forward("va", "ipv6")
        told = parse_network(namespaces.description())
        with fib.everywhere(told) as ask:
            given = fib.params("2001:db8:1::1", index(told, "va"))
            assert ask(given, SRC | SKIP_NEIGH).returned == NO_SRC_ADDR


@pytest.mark.parametrize("section", ["xdp", "tc"])
def test_sizes_flags_and_families_are_checked_in_this_order(section):
    with network() as net:
        given = fib.params("10.1.2.3", index(net, "va"))
        for size, code in ((8, -EINVAL), (63, -EINVAL), (64, SUCCESS), (65, SUCCESS)):
            with fib.everywhere(net, section, size=size) as ask:
                assert ask(given).returned == code
        with fib.everywhere(net, section) as ask:
            for flags in (64, 1 << 31, 0xFFFFFFFF):
                assert ask(given, flags).returned == -EINVAL
            for family in (0, 1, 7, 255):
                assert ask(bytes([family]) + given[1:]).returned == -EAFNOSUPPORT
