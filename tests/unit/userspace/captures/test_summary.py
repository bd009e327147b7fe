"""One line per packet, whatever it holds."""

import random

import pytest
from frames import MACS, arp, ethernet, ipv4, ipv6, some_frame, tcp, udp

from beebox.userspace.captures.summary import summary, time_text

SUMMARIES = [
    (
        ethernet(0x0800, ipv4(6, tcp(1234, 80, 2))),
        "IP 10.0.0.1.1234 > 10.0.1.2.80: tcp [S], length 0",
    ),
    (
        ethernet(0x0800, ipv4(6, tcp(80, 1234, 0x12, b"abc"), options=bytes(8))),
        "IP 10.0.0.1.80 > 10.0.1.2.1234: tcp [S.], length 3",
    ),
    (ethernet(0x0800, ipv4(6, tcp(1, 2, 0))), "IP 10.0.0.1.1 > 10.0.1.2.2: tcp [none], length 0"),
    (
        ethernet(0x86DD, ipv6(17, udp(53, 5353, b"x" * 9))),
        "IP6 2001:db8::1.53 > 2001:db8::2.5353: udp, length 9",
    ),
    (
        ethernet(0x0800, ipv4(1, b"\x08\0" + bytes(6))),
        "IP 10.0.0.1 > 10.0.1.2: icmp echo request, code 0, length 8",
    ),
    (
        ethernet(0x86DD, ipv6(58, b"\x87\0" + bytes(6))),
        "IP6 2001:db8::1 > 2001:db8::2: icmp6 neighbor solicitation, code 0, length 8",
    ),
    (
        ethernet(0x0800, ipv4(17, udp(1, 2), place=5)),
        "IP 10.0.0.1 > 10.0.1.2: fragment at 40, length 28",
    ),
    (
        ethernet(0x86DD, ipv6(44, b"\x11\0\0\0" + bytes(4) + udp(1, 2))),
        "IP6 2001:db8::1.1 > 2001:db8::2.2: udp, length 0",
    ),
    (
        ethernet(0x86DD, ipv6(44, b"\x11\0\x00\x10" + bytes(12))),
        "IP6 2001:db8::1 > 2001:db8::2: fragment at 16, length 56",
    ),
    (
        ethernet(0x86DD, ipv6(0, b"\x3b\0" + bytes(6))),
        "IP6 2001:db8::1 > 2001:db8::2: protocol 59, length 0",
    ),
    (ethernet(0x0800, ipv4(47, b"x")), "IP 10.0.0.1 > 10.0.1.2: gre, length 1"),
    (ethernet(0x0800, ipv4(6, b"xy")), "IP 10.0.0.1 > 10.0.1.2: tcp, length 2"),
    (ethernet(0x0806, arp()), "ARP who-has 10.0.1.2 tell 10.0.0.1"),
    (ethernet(0x0806, arp(2)), "ARP 10.0.0.1 is-at 02:00:00:00:00:01"),
    (ethernet(0x0806, b"x"), "ARP, cut short"),
    (
        ethernet(0x0806, arp(), tags=[(0x88A8, 9), (0x8100, 0x2007)]),
        "vlan 9, vlan 7, ARP who-has 10.0.1.2 tell 10.0.0.1",
    ),
    (
        ethernet(0x88CC, b"x", destination=MACS[2]),
        "02:00:00:00:00:01 > ff:ff:ff:ff:ff:ff, ethertype 0x88cc, length 15",
    ),
    (b"123", "3 bytes, too short for Ethernet"),
]


@pytest.mark.parametrize(("frame", "line"), SUMMARIES)
def test_a_packet_in_one_line(frame, line):
    assert summary(frame) == line


def test_any_bytes_give_a_line():
    rng = random.Random("summary")
    for _ in range(5000):
        frame = some_frame(rng)
        for data in (frame, frame[: rng.randrange(len(frame) + 1)], rng.randbytes(60)):
            line = summary(data)
            assert line.isprintable()
            assert 0 < len(line) < 200


def test_times():
    assert time_text(1_700_000_000_123_456_789) == "2023-11-14 22:13:20.123456"
    assert time_text((1 << 64) - 1) == "2554-07-21 23:34:33.709551"
    assert time_text(0) == "1970-01-01 00:00:00.000000"
