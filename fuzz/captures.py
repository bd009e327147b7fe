"""Damaged captures of every format, for a time: packets or a CaptureError, nothing else.

Each mutant is read in blocks of several sizes, which must give the same packets or the same fault.
What is found goes to the folder given, and becomes a case in tests/unit/userspace/captures.

    .venv/bin/python fuzz/captures.py [--seconds N] [--seed N] [--keep FOLDER]
"""

from __future__ import annotations

import argparse
import gzip
import random
import sys
import time
from pathlib import Path

import zstandard

sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "support"))

from capturefiles import Ng, pcap, pcapng

from beebox.errors import CaptureError
from beebox.userspace.captures.reading import blocks
from beebox.userspace.captures.streams import MemoryStream

SIZES = (37, 256, 1 << 16)


def seeds() -> list[bytes]:
    """Whole captures of every kind, plain and compressed."""
    made = Ng().section().interface(1, name="eth0", resolution=9).interface(113, 60, offset=9)
    made.enhanced(7, bytes(range(60))).block(5, bytes(12)).simple(bytes(20)).obsolete(9, b"abc", 1)
    made.block(0x0BAD, bytes(300)).section(">").interface(101).enhanced(1, bytes(33))
    plain = [pcap(), pcap(">"), pcapng(), pcapng(">"), made.data]
    packed = [gzip.compress(data) for data in plain]
    packed += [zstandard.ZstdCompressor(write_checksum=True).compress(data) for data in plain]
    return plain + packed


def damaged(data: bytes, rng: random.Random) -> bytes:
    """A few changes: bits, bytes, numbers; parts gone, repeated or cut off."""
    out = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 6))):
        at = rng.randrange(len(out) + 1)
        match rng.randrange(6):
            case 0:
                out[at : at + 1] = bytes([rng.randrange(256)])
            case 1:
                del out[at : at + rng.randrange(1, 30)]
            case 2:
                out[at:at] = out[at : at + rng.randrange(1, 100)]
            case 3:
                number = rng.choice((0, 4, 12, 60, 1 << 15, (1 << 18) + 4, 1 << 31, (1 << 32) - 4))
                out[at : at + 4] = number.to_bytes(4, rng.choice(("little", "big")))
            case 4:
                out = out[:at]
            case _:
                out[at : at + 4] = rng.randbytes(4)
    return bytes(out)


def read(data: bytes, block_bytes: int) -> tuple[list[tuple[int, bytes]], object]:
    """The packets with their times, and the fault behind them, if there is one."""
    found: list[tuple[int, bytes]] = []
    try:
        for block in blocks(MemoryStream(data, file="mutant"), block_bytes=block_bytes):
            found += zip(block.times_ns.tolist(), block, strict=True)
    except CaptureError as error:
        return found, (error.problem, error.offset, error.packet)
    return found, None


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, default=Path())
    options = parser.parse_args()
    rng, whole, count, refused = random.Random(options.seed), seeds(), 0, 0
    end = time.monotonic() + options.seconds
    while time.monotonic() < end:
        data = damaged(rng.choice(whole), rng)
        count += 1
        try:
            results = [read(data, size) for size in SIZES]
            assert all(result == results[0] for result in results), "blocks of other sizes differ"
            refused += results[0][1] is not None
        except Exception:
            path = options.keep / f"mutant-{options.seed}-{count}"
            path.write_bytes(data)
            print(f"{path}: {len(data)} bytes")
            print(*(read(data, size)[1] for size in SIZES), sep="\n")
            raise
    print(f"{count} mutants, {refused} refused")


if __name__ == "__main__":
    main()
