"""The pcap reader: every variant read alike, every malformed file refused with its place."""

import random
import struct

import pytest

from beebox.errors import CaptureError
from beebox.userspace.captures import Capture, encode_capture, parse_capture, read_capture

PACKETS = [(1_700_000_000_123_456_000, bytes(range(60))), (1_700_000_001_000_001_000, b"x" * 14)]


def pcap(order, magic, unit_ns, packets=PACKETS, link=1, major=2):
    out = struct.pack(order + "IHHiIII", magic, major, 4, 0, 0, 65535, link)
    for time_ns, data in packets:
        seconds, rest = divmod(time_ns, 10**9)
        out += struct.pack(order + "IIII", seconds, rest // unit_ns, len(data), len(data)) + data
    return out


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(("magic", "unit_ns"), [(0xA1B2C3D4, 1000), (0xA1B23C4D, 1)])
def test_every_variant_reads_alike(order, magic, unit_ns):
    capture = parse_capture(pcap(order, magic, unit_ns))
    assert list(capture) == [data for _, data in PACKETS]
    assert capture.times_ns.tolist() == [time for time, _ in PACKETS]
    assert capture.total_bytes == 74


@pytest.mark.parametrize("nanoseconds", [True, False])
def test_what_is_encoded_reads_back(nanoseconds):
    capture = parse_capture(encode_capture(PACKETS, nanoseconds=nanoseconds))
    assert list(zip(capture.times_ns.tolist(), capture, strict=True)) == PACKETS


def test_snapped_packets_keep_their_wire_length():
    data = encode_capture([])
    data += struct.pack("<IIII", 1, 2, 20, 1500) + bytes(20)
    capture = parse_capture(data)
    assert capture.lengths.tolist() == [20]
    assert capture.wire_lengths.tolist() == [1500]


def test_empty_capture_has_no_packets():
    capture = parse_capture(encode_capture([]))
    assert len(capture) == 0
    assert capture.total_bytes == 0


@pytest.mark.parametrize("cut", [1, 10, 16, 17, 70])
def test_a_cut_tail_names_the_packet(cut):
    whole = encode_capture(PACKETS)
    with pytest.raises(CaptureError) as refused:
        parse_capture(whole[: -(14 + 16) - cut] if cut > 60 else whole[:-cut])
    assert refused.value.packet == (1 if cut > 60 else 2)


@pytest.mark.parametrize(
    "lengths", [(0xFFFFFFFF, 0xFFFFFFFF), (262_145, 262_145), (20, 10), (21, 21)]
)
def test_impossible_lengths_are_refused(lengths):
    data = encode_capture([]) + struct.pack("<IIII", 0, 0, *lengths) + bytes(20)
    with pytest.raises(CaptureError) as refused:
        parse_capture(data)
    assert refused.value.packet == 1


@pytest.mark.parametrize(
    ("data", "word"),
    [
        (b"", "empty"),
        (b"\xd4\xc3\xb2\xa1", "ends in its header"),
        (b"\x0a\x0d\x0d\x0a" + bytes(40), "byte order"),
        (pcap("<", 0xA1B2C3D4, 1000, major=3), "version 3"),
        (b"\x7fELF" + bytes(60), "neither a pcap"),
    ],
)
def test_other_files_are_named(data, word):
    with pytest.raises(CaptureError, match=word):
        parse_capture(data)


def test_link_type_may_carry_a_checksum_length():
    assert len(parse_capture(pcap("<", 0xA1B2C3D4, 1000, link=0x14000001))) == 2


def test_mutated_captures_give_a_capture_or_an_error():
    rng = random.Random(7)
    seeds = [pcap(order, magic, 1) for order in "<>" for magic in (0xA1B2C3D4, 0xA1B23C4D)]
    refused = 0
    for _ in range(3000):
        data = bytearray(rng.choice(seeds))
        for _ in range(rng.randrange(1, 6)):
            data[rng.randrange(len(data))] = rng.choice((0, 1, 0x7F, 0xFF, rng.randrange(256)))
        data = data[: rng.choice((len(data), rng.randrange(len(data) + 1)))]
        try:
            capture = parse_capture(bytes(data))
        except CaptureError:
            refused += 1
        else:
            assert isinstance(capture, Capture)
            assert sum(len(packet) for packet in capture) == capture.total_bytes <= len(data)
    assert 0 < refused < 3000


def test_unreadable_files_are_capture_errors(tmp_path):
    for path in (tmp_path, tmp_path / "missing", "/dev/zero", "a\0b"):
        with pytest.raises(CaptureError):
            read_capture(path)
    (tmp_path / "good.pcap").write_bytes(encode_capture(PACKETS))
    assert len(read_capture(tmp_path / "good.pcap")) == 2
