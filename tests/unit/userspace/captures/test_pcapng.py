"""pcapng: every block kind, both byte orders, sections, interfaces, clocks; faults with places."""

import pytest
from capturefiles import PACKETS, Ng, pcapng

from beebox.errors import CaptureError
from beebox.userspace.captures import parse_capture
from beebox.userspace.captures.reading import blocks
from beebox.userspace.captures.streams import MemoryStream

TIME = 1_700_000_000
FRAME = bytes(range(60))


@pytest.mark.parametrize("order", ["<", ">"])
def test_enhanced_packets_read_in_both_byte_orders(order):
    capture = parse_capture(pcapng(order))
    assert list(zip(capture.times_ns.tolist(), capture, strict=True)) == PACKETS


@pytest.mark.parametrize("order", ["<", ">"])
def test_every_kind_of_packet_block(order):
    made = Ng(order).section().interface(snaplen=40)
    made.enhanced(TIME * 10**6 + 5, FRAME[:33], wire=60)
    made.block(5, bytes(12)).block(4, bytes(8)).block(0x0BAD, bytes(16))  # statistics, names, own
    made.simple(FRAME[:40], wire=1500)
    made.obsolete(TIME * 10**6 + 9, FRAME[:21])
    capture = parse_capture(made.data)
    assert list(capture) == [FRAME[:33], FRAME[:40], FRAME[:21]]
    assert capture.wire_lengths.tolist() == [60, 1500, 21]
    at = TIME * 10**9
    assert capture.times_ns.tolist() == [at + 5000, at + 5000, at + 9000]


def test_a_simple_packet_first_has_no_time():
    capture = parse_capture(Ng().section().interface().simple(FRAME).data)
    assert capture.times_ns.tolist() == [0]


@pytest.mark.parametrize(
    ("resolution", "raw", "nanoseconds"),
    [
        (None, TIME * 10**6 + 7, TIME * 10**9 + 7000),
        (0, TIME, TIME * 10**9),
        (3, TIME * 10**3 + 7, TIME * 10**9 + 7_000_000),
        (9, TIME * 10**9 + 7, TIME * 10**9 + 7),
        (10, TIME * 10**10 + 79, TIME * 10**9 + 7),
        (19, 10**19 + 5 * 10**18, 1_500_000_000),
        (0x80 | 1, TIME * 2 + 1, TIME * 10**9 + 500_000_000),
        (0x80 | 10, TIME * 1024 + 256, TIME * 10**9 + 250_000_000),
        (0x80 | 32, (TIME << 32) + (1 << 31), TIME * 10**9 + 500_000_000),
        (0x80 | 60, (9 << 60) + (1 << 58), 9_250_000_000),
    ],
)
def test_clocks_of_every_resolution(resolution, raw, nanoseconds):
    made = Ng().section().interface(resolution=resolution).enhanced(raw, FRAME)
    assert parse_capture(made.data).times_ns.tolist() == [nanoseconds]


@pytest.mark.parametrize("offset", [3600, -3600])
def test_a_clock_may_start_elsewhere(offset):
    made = Ng().section().interface(offset=offset).enhanced(TIME * 10**6, FRAME)
    assert parse_capture(made.data).times_ns.tolist() == [(TIME + offset) * 10**9]


def test_interfaces_have_clocks_names_and_links_of_their_own():
    made = Ng().section().interface(1, name="eth0").interface(101, 96, name="tun0", resolution=9)
    made.enhanced(TIME * 10**6, FRAME).enhanced(TIME * 10**9 + 1, FRAME[:20], which=1)
    capture = parse_capture(made.data)
    assert capture.times_ns.tolist() == [TIME * 10**9, TIME * 10**9 + 1]
    shown = [(capture.interface(i).name, capture.interface(i).link_type) for i in range(2)]
    assert shown == [("eth0", 1), ("tun0", 101)]
    assert capture.interface(1).snaplen == 96


def test_sections_start_anew_in_any_byte_order():
    made = Ng("<").section().interface(101).enhanced(1, FRAME[:20])
    made.section(">").interface(1, resolution=9).interface(113).enhanced(2, FRAME)
    made.section("<").interface(113).obsolete(3, FRAME[:30])
    capture = parse_capture(made.data)
    assert capture.times_ns.tolist() == [1000, 2, 3000]
    assert [capture.interface(i).link_type for i in range(3)] == [101, 1, 113]
    assert [capture.number(i) for i in range(3)] == [1, 2, 3]


@pytest.mark.parametrize("block_bytes", [64, 100, 300, 1 << 20])
def test_blocks_of_any_size_read_alike(block_bytes):
    made = Ng().section().interface()
    for number in range(20):
        made.enhanced(number, FRAME[: number * 3])
        made.block(0x0BAD, bytes(50 * number))
    stream = MemoryStream(made.data, file="x")
    found = list(blocks(stream, block_bytes=block_bytes))
    assert [packet for block in found for packet in block] == [FRAME[: n * 3] for n in range(20)]
    numbers = [block.number(i) for block in found for i in range(len(block))]
    assert numbers == list(range(1, 21))


def wrong(made, *, cut=0):
    with pytest.raises(CaptureError) as refused:
        parse_capture(made.data[: len(made.data) - cut], file="x.pcapng")
    return refused.value


def good():
    return Ng().section().interface().enhanced(1, FRAME)


def test_faults_name_their_place():
    start = len(good().data)
    error = wrong(good().enhanced(2, FRAME, which=1))
    assert (error.packet, error.offset) == (2, start)
    error = wrong(good().block(6, bytes(8)))
    assert (error.packet, error.offset) == (2, start)
    made = good().enhanced(2, FRAME)
    made.data = made.data[:-4] + b"\1\2\3\4"
    assert (wrong(made).packet, wrong(made).offset) == (2, start)
    for cut in (1, 4, 60, 80, 91):
        error = wrong(good().enhanced(2, FRAME), cut=cut)
        assert (error.packet, error.offset) == (2, start), cut
    for captured, wire in ((61, 61), (60, 59), (1 << 20, 1 << 20)):
        made = good()
        made.block(6, made.pack("IIIII", 0, 0, 0, captured, wire) + FRAME)
        assert (wrong(made).packet, wrong(made).offset) == (2, start)


def test_a_cut_unknown_block_is_a_fault():
    error = wrong(good().block(0x0BAD, bytes(100)), cut=50)
    assert error.packet == 2


@pytest.mark.parametrize(
    "made",
    [
        Ng().section(major=2),
        Ng().block(0x0A0D0D0A, bytes(16)),
        Ng().section().block(1, bytes(4)),
        Ng().section().interface(resolution=20),
        Ng().section().interface(resolution=0x80 | 64),
        Ng().section().block(1, bytes(8) + b"\2\0\xff\0" + bytes(8)),
        Ng().section().interface(offset=1 << 62).enhanced(1, FRAME),
        Ng().section().interface(offset=-5).enhanced(1, FRAME),
        Ng().section().interface(resolution=0).enhanced(1 << 63, FRAME),
        Ng().section().enhanced(1, FRAME),
    ],
)
def test_headers_that_cannot_be(made):
    assert wrong(made).offset is not None


def test_the_number_of_interfaces_is_bounded():
    one = Ng().section()
    start = len(one.data)
    one.interface()
    made = Ng()
    made.data = one.data[:start] + one.data[start:] * 5000
    assert wrong(made).offset == start + 4096 * (len(one.data) - start)


def test_packets_before_a_fault_are_given():
    made = good()
    made.block(6, bytes(8))
    found = blocks(MemoryStream(made.data, file="x"))
    assert list(next(found)) == [FRAME]
    with pytest.raises(CaptureError):
        next(found)


@pytest.mark.parametrize("block_bytes", [64, 1 << 20])
def test_an_impossible_time_is_a_fault_of_its_packet(block_bytes):
    made = Ng().section().interface(resolution=0).enhanced(5, FRAME)
    place = len(made.data) + 28
    made.enhanced(1 << 63, FRAME).enhanced(6, FRAME)
    found = blocks(MemoryStream(made.data, file="x"), block_bytes=block_bytes)
    assert list(next(found)) == [FRAME]
    with pytest.raises(CaptureError) as refused:
        next(found)
    assert (refused.value.packet, refused.value.offset) == (2, place)


@pytest.mark.parametrize("start", [-7, 7])
@pytest.mark.parametrize("resolution", [0, 6, 9, 12, 0x80 | 3, 0x80 | 40])
def test_the_first_and_last_times_that_can_be(start, resolution):
    units = 2 ** (resolution & 0x7F) if resolution & 0x80 else 10**resolution
    for raw in {0, max(0, -start) * units, ((1 << 64) // 10**9 - start) * units}:
        for number in (raw - 1, raw, raw + 1):
            if not 0 <= number < (1 << 64) - 1:
                continue
            made = Ng().section().interface(resolution=resolution, offset=start)
            made.enhanced(number, FRAME)
            expected = number * 10**9 // units + start * 10**9
            if 0 <= expected < 1 << 64:
                (time_ns,) = parse_capture(made.data).times_ns.tolist()
                assert abs(time_ns - expected) <= (1 if resolution > 0x80 else 0)
            else:
                wrong(made)


@pytest.mark.parametrize("block_bytes", [64, 1 << 20])
def test_a_simple_packet_follows_the_last_time_across_blocks(block_bytes):
    made = Ng().section().interface().enhanced(5, FRAME)
    for _ in range(5):
        made.simple(FRAME)
    stream = MemoryStream(made.data, file="x")
    found = [t for block in blocks(stream, block_bytes=block_bytes) for t in block.times_ns]
    assert found == [5000] * 6
