"""Packets of other links as the Ethernet frames that a program is given."""

import struct

import pytest
from capturefiles import Ng, pcap

from beebox.errors import CaptureError
from beebox.userspace.captures import parse_capture

IP4 = b"\x45" + bytes(19) + b"four"
IP6 = b"\x60" + bytes(39) + b"six"
NO_MACS = bytes(12)


def framed(link, *packets):
    made = pcap(packets=[(number, data) for number, data in enumerate(packets)], link=link)
    return parse_capture(made).ethernet()


@pytest.mark.parametrize("link", [12, 101, 228, 229])
def test_raw_ip_is_told_by_its_version(link):
    assert list(framed(link, IP4, IP6, b"\x10zz", b"")) == [
        NO_MACS + b"\x08\x00" + IP4,
        NO_MACS + b"\x86\xdd" + IP6,
        NO_MACS + b"\0\0\x10zz",
        NO_MACS + b"\0\0",
    ]


@pytest.mark.parametrize("link", [0, 108])
@pytest.mark.parametrize("order", ["<", ">"])
def test_loopback_families(link, order):
    def family(number, rest):
        return struct.pack(order + "I", number) + rest

    packets = [family(2, IP4), *(family(n, IP6) for n in (10, 24, 28, 30)), family(7, b"osi")]
    assert list(framed(link, *packets, b"\2\0")) == [
        NO_MACS + b"\x08\x00" + IP4,
        *[NO_MACS + b"\x86\xdd" + IP6] * 4,
        NO_MACS + b"\0\0osi",
        b"",
    ]


def test_cooked_packets_carry_their_ethertype():
    cooked = struct.pack(">HHH8sH", 0, 1, 6, bytes(8), 0x86DD)
    assert list(framed(113, cooked + IP6, cooked[:-1])) == [NO_MACS + b"\x86\xdd" + IP6, b""]
    cooked = struct.pack(">HHIHBB8s", 0x0806, 0, 1, 1, 0, 6, bytes(8))
    assert list(framed(276, cooked + b"arp", b"")) == [NO_MACS + b"\x08\x06arp", b""]


def test_wire_lengths_follow():
    made = Ng().section().interface(113)
    cooked = struct.pack(">HHH8sH", 0, 1, 6, bytes(8), 0x0800)
    made.enhanced(1, cooked + IP4, wire=1516)
    frames = parse_capture(made.data).ethernet()
    assert frames.lengths.tolist() == [14 + len(IP4)]
    assert frames.wire_lengths.tolist() == [1514]


def test_interfaces_of_several_links_in_one_block():
    made = Ng().section().interface(1).interface(101).interface(127)
    ethernet = bytes(range(60))
    made.enhanced(1, ethernet).enhanced(2, IP4, which=1).enhanced(3, ethernet[:14])
    frames = parse_capture(made.data).ethernet()
    assert list(frames) == [ethernet, NO_MACS + b"\x08\x00" + IP4, ethernet[:14]]
    assert frames.times_ns.tolist() == [1000, 2000, 3000]


def test_ethernet_stays_where_it_is():
    capture = parse_capture(pcap())
    assert capture.ethernet() is capture


def test_links_without_frames_are_refused_where_a_packet_has_one():
    made = Ng().section().interface(1)
    place = len(made.data)
    made.interface(127).enhanced(1, bytes(60)).enhanced(2, bytes(60), which=1)
    capture = parse_capture(made.data)
    with pytest.raises(CaptureError, match="radiotap") as refused:
        capture.ethernet()
    assert (refused.value.packet, refused.value.offset) == (2, place)
    with pytest.raises(CaptureError, match="unknown"):
        parse_capture(pcap(link=9999)).ethernet()


@pytest.mark.parametrize("sizes", [[0, 1, 7, 8, 9, 60], [1514] * 3, [262_130, 3]])
def test_no_byte_is_lost(sizes):
    packets = [bytes([0x45]) * size for size in sizes]
    frames = framed(101, *packets)
    assert [frame[14:] for frame in frames] == packets
