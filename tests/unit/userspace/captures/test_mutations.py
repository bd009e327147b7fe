"""10,000 damaged captures of each format: packets, or a CaptureError that names the offset.

The mutants are the same in every run, unless BEEBOX_FUZZ_SEED chooses others.
"""

import gzip
import os
import random
import resource

import pytest
import zstandard
from capturefiles import Ng, pcap, pcapng

from beebox.errors import CaptureError
from beebox.userspace.captures import parse_capture
from beebox.userspace.captures.reading import blocks
from beebox.userspace.captures.streams import MemoryStream

MUTANTS = 10_000
EACH = 2_500
MEMORY_KIB = 200 << 10
SEED = os.environ.get("BEEBOX_FUZZ_SEED", "captures")


def every_block():
    made = Ng().section().interface(1, name="eth0", resolution=9).interface(113, 60, offset=9)
    made.enhanced(7, bytes(range(60))).block(5, bytes(12)).simple(bytes(20)).obsolete(9, b"abc", 1)
    made.block(0x0BAD, bytes(30)).section(">").interface(101).enhanced(1, bytes(33))
    return made.data


PLAIN = {
    "pcap": [pcap(order, magic, 1) for order in "<>" for magic in (0xA1B2C3D4, 0xA1B23C4D)],
    "pcapng": [pcapng("<"), pcapng(">"), every_block()],
}
ALL = [*PLAIN["pcap"], *PLAIN["pcapng"]]
SEEDS = {
    **PLAIN,
    "gz": [gzip.compress(data) for data in ALL] + [gzip.compress(ALL[0]) + gzip.compress(b"x")],
    "zst": [
        zstandard.ZstdCompressor(level=level, write_checksum=bool(level % 2)).compress(data)
        for level in (1, 2, 19)
        for data in (*ALL, bytes(3000))
    ],
}


def damage(data, rng):
    out = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 5))):
        at = rng.randrange(len(out))
        match rng.randrange(5):
            case 0:
                out[at] ^= 1 << rng.randrange(8)
            case 1:
                out[at] = rng.choice((0, 1, 0x7F, 0x80, 0xFF))
            case 2:
                del out[at : at + rng.randrange(1, 9)]
                out = out or bytearray(b"\0")
            case 3:
                out[at:at] = out[at : at + rng.randrange(1, 40)]
            case _:
                size = rng.choice((2, 4, 8))
                out[at : at + size] = rng.choice((0, 1, 60, 1 << 15, (1 << 16) - 1)).to_bytes(
                    size, rng.choice(("little", "big"))
                )
    return bytes(out[: rng.randrange(len(out) + 1)] if rng.random() < 0.2 else out)


def read(data, block_bytes):
    """Packets, times and the fault behind them: the same in blocks of any size."""
    found = []
    try:
        for block in blocks(MemoryStream(data, file="mutant"), block_bytes=block_bytes):
            found += zip(block.times_ns.tolist(), block, strict=True)
    except CaptureError as error:
        return found, error.fields()
    return found, None


@pytest.mark.parametrize("part", range(MUTANTS // EACH))
@pytest.mark.parametrize("kind", SEEDS)
def test_a_damaged_capture_gives_packets_or_its_place(kind, part):
    rng = random.Random(f"{SEED} {kind} {part}")
    read(SEEDS[kind][0], 1 << 16)  # what is loaded on first use is not the mutants'
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    refused = []
    for number in range(EACH):
        data = damage(rng.choice(SEEDS[kind]), rng)
        try:
            capture = parse_capture(data, file="mutant")
            list(capture.ethernet())
        except CaptureError as error:
            refused.append((error.file, error.offset is not None))
        else:
            assert sum(len(packet) for packet in capture) == capture.total_bytes
        if number % 10 == 0:
            assert read(data, 37) == read(data, 1 << 16)
    assert 0 < len(refused) < EACH
    assert set(refused) == {("mutant", True)}
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < MEMORY_KIB
