"""What each word of the filter language matches, over frames made for it."""

import random

import numpy as np
import pytest
from capturefiles import pcap
from frames import (
    ADDRESSES,
    ADDRESSES6,
    MACS,
    arp,
    ethernet,
    ipv4,
    ipv6,
    some_frame,
    tcp,
    udp,
)

from beebox.lib.filter import compile_filter
from beebox.linux.kernel import LinuxKernel
from beebox.userspace.captures import parse_capture
from beebox.userspace.engines import Packets
from beebox.userspace.filtering import PacketFilter
from beebox.userspace.kernel import UserspaceKernel

FRAMES = {
    "tcp4": ethernet(0x0800, ipv4(6, tcp(1234, 80, 2))),
    "tcp4 options": ethernet(0x0800, ipv4(6, tcp(80, 1234, 0x12), options=bytes(12))),
    "tcp6": ethernet(0x86DD, ipv6(6, tcp(1234, 443, 0x10))),
    "udp4": ethernet(0x0800, ipv4(17, udp(53, 5353, b"x" * 100), source=ADDRESSES[2])),
    "udp6": ethernet(0x86DD, ipv6(17, udp(5000, 53), source=ADDRESSES6[1])),
    "fragment": ethernet(0x0800, ipv4(6, tcp(1234, 80), place=5)),
    "icmp": ethernet(0x0800, ipv4(1, b"\x08\0" + bytes(6))),
    "icmp6": ethernet(0x86DD, ipv6(58, b"\x80\0" + bytes(6), destination=ADDRESSES6[2])),
    "arp": ethernet(0x0806, arp(), destination=MACS[2]),
    "vlan": ethernet(0x0800, ipv4(6, tcp(1, 80)), tags=[(0x8100, 7)]),
    "qinq": ethernet(0x0800, ipv4(17, udp(1, 53)), tags=[(0x88A8, 9), (0x8100, 7)]),
    "group": ethernet(0x0800, ipv4(2, bytes(8), destination=ADDRESSES[3]), destination=MACS[3]),
    "short": ethernet(0x0800, ipv4(6, tcp(1, 80)))[:30],
}
TCP4 = {"tcp4", "tcp4 options", "fragment"}
IP = {*TCP4, "udp4", "icmp", "group", "short"}
IP6 = {"tcp6", "udp6", "icmp6"}
VECTORS = [
    ("", set(FRAMES)),
    ("ip", IP),
    ("ip6", IP6),
    ("arp", {"arp"}),
    ("tcp", {*TCP4, "tcp6", "short"}),
    ("tcp port 80", {"tcp4", "tcp4 options"}),
    ("port 80 or 443", {"tcp4", "tcp4 options", "tcp6"}),
    ("port (80 or 443)", {"tcp4", "tcp4 options", "tcp6"}),
    ("port http || port https", {"tcp4", "tcp4 options", "tcp6"}),
    ("dst port 80", {"tcp4"}),
    ("src port 80", {"tcp4 options"}),
    ("src and dst port 80", set()),
    ("udp port 53", {"udp4", "udp6"}),
    ("udp dst port 53", {"udp6"}),
    ("portrange 440-450", {"tcp6"}),
    ("src portrange 1000-2000 and not ip6", {"tcp4"}),
    ("host 10.0.0.1", IP - {"udp4"} | {"arp"}),
    ("ip host 192.168.1.1", {"udp4"}),
    ("arp host 10.0.0.1", {"arp"}),
    ("dst host 10.0.1.2 and icmp", {"icmp"}),
    ("src 192.168.1.1", {"udp4"}),
    ("net 192.168", {"udp4"}),
    ("net 192.168.0.0/16", {"udp4"}),
    ("net 192.168.0.0 mask 255.255.0.0", {"udp4"}),
    ("src net 10.0.0.0/24 and udp", set()),
    ("host 2001:db8::2", IP6 - {"icmp6"}),
    ("src host 2001:db8::2", {"udp6"}),
    ("net 2001:db8::/32", IP6),
    ("ip6 multicast", {"icmp6"}),
    ("ip multicast", {"group"}),
    ("ether multicast", {"arp", "group"}),
    ("broadcast", {"arp"}),
    ("ether dst ff:ff:ff:ff:ff:ff", {"arp"}),
    ("ether host 01-00-5e-00-00-01", {"group"}),
    ("ether proto 0x806", {"arp"}),
    ("ether proto \\arp", {"arp"}),
    ("ip proto 2", {"group"}),
    ("ip proto \\icmp", {"icmp"}),
    ("ip6 proto 58", {"icmp6"}),
    ("proto udp", {"udp4", "udp6"}),
    ("icmp[icmptype] = icmp-echo", {"icmp"}),
    ("icmp6[icmp6type] == icmp6-echo", {"icmp6"}),
    ("tcp[tcpflags] & tcp-syn != 0", {"tcp4", "tcp4 options"}),
    ("tcp[tcpflags] & (tcp-syn|tcp-ack) = tcp-syn", {"tcp4"}),
    ("tcp[13] == 0x12", {"tcp4 options"}),
    ("ip[0] & 0xf > 5", {"tcp4 options"}),
    ("ip[6:2] & 0x1fff != 0", {"fragment"}),
    ("udp[4:2] > 100", {"udp4"}),
    ("ip[2:2] - 20 = 8 or 1 = 2", {"icmp", "group"}),
    ("ether[0:4] = 0xffffffff", {"arp"}),
    ("ether[12:2] = 2054", {"arp"}),
    ("vlan", {"vlan", "qinq"}),
    ("vlan 7", {"vlan"}),
    ("vlan 7 and tcp port 80", {"vlan"}),
    ("vlan and vlan 7 and udp", {"qinq"}),
    ("greater 100", {"udp4"}),
    ("less 42 and not arp", {"short", "icmp", "group"}),
    ("len = 30", {"short"}),
    ("len > 0xffffffff - 0xffffff00 - 150 and len < 200", {"udp4"}),
    ("not ip and not ip6 and !arp", {"vlan", "qinq"}),
    ("arp or ip and tcp", {*TCP4, "short"}),  # from the left, as in libpcap
    ("arp or (ip and tcp)", {"arp", *TCP4, "short"}),
    ("ip[400] = 0 or ip", set()),  # what a packet does not hold rejects it
    ("ip[0] / (ip[8] - 64) = 1 or ip", set()),
]


@pytest.fixture(scope="module")
def capture():
    return parse_capture(pcap(packets=[(0, frame) for frame in FRAMES.values()]))


@pytest.mark.parametrize(("text", "expected"), VECTORS)
def test_words_match(text, expected, capture):
    with PacketFilter(text) as chosen:
        found = chosen.matches(capture)
    names = {name for name, match in zip(FRAMES, found.tolist(), strict=True) if match}
    assert names == expected


def test_a_filter_reads_what_was_on_the_wire(capture):
    wide = np.full(len(capture), 1500, dtype=np.uint32)
    snapped = parse_capture(pcap(packets=[(0, frame) for frame in FRAMES.values()]))
    object.__setattr__(snapped, "wire_lengths", wide)
    with PacketFilter("len = 1500") as chosen:
        assert chosen.matches(snapped).all()
        assert not chosen.matches(capture).any()


def test_over_gives_frames_with_their_numbers(capture):
    with PacketFilter("arp or vlan") as chosen:
        (block,) = chosen.over([capture])
    assert [block.number(i) for i in range(len(block))] == [9, 10, 11]


@pytest.mark.linux
def test_linux_takes_and_runs_filters_alike():
    """Apart from ``len``: Linux has a clock of its own."""
    frames = [frame for frame in FRAMES.values() if len(frame) >= 14]
    for text, expected in VECTORS:
        if "len" in text or "less" in text or "greater" in text:
            continue
        with LinuxKernel().load(compile_filter(text)) as live:
            program = live.programs["filter"]
            found = [bool(program.test_run(frame).retval) for frame in frames]
        names = {name for name, match in zip(FRAMES, found, strict=True) if match}
        assert names == expected, text


@pytest.mark.parametrize(
    "text", ["vlan and tcp port 80", "tcp[tcpflags] & 2 != 0 or ip6[40] > ip6[41]"]
)
def test_both_engines_agree(text):
    frames = [some_frame(random.Random(n)) for n in range(300)]
    capture = parse_capture(pcap(packets=[(0, frame) for frame in frames]))
    found = []
    for engine in ("jit", "interpreter"):
        with UserspaceKernel(engine).load(compile_filter(text)) as live:
            lengths = np.ascontiguousarray(capture.lengths)
            packets = Packets(capture.data, capture.offsets, lengths, capture.times_ns)
            found.append(live.programs["filter"].run_packets(packets)[0].tolist())
    assert found[0] == found[1]
    assert 0 < sum(found[0]) < 300
