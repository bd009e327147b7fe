"""gzip and zstd: found by their first bytes, bounded, faults named by their place in the file."""

import gzip
import io
import random
import subprocess
import sys
import time

import pytest
import zstandard
from capturefiles import PACKETS, pcap, pcapng

from beebox.errors import CaptureError
from beebox.userspace.captures import encode_capture, parse_capture
from beebox.userspace.captures.compression import compressed

MANY = pcap(packets=[(n * 1000, random.Random(n).randbytes(60)) for n in range(5000)])


def zst(data, **options):
    return zstandard.ZstdCompressor(**options).compress(data)


def streamed(data):
    """Without a content size, with a checksum, in blocks."""
    out = io.BytesIO()
    compressor = zstandard.ZstdCompressor(write_checksum=True)
    with compressor.stream_writer(out, closefd=False) as writer:
        for at in range(0, len(data), 50_000):
            writer.write(data[at : at + 50_000])
            writer.flush()
    return out.getvalue()


SKIPPABLE = b"\x5a\x2a\x4d\x18\x05\0\0\0hello"


@pytest.mark.parametrize("pack", [gzip.compress, zst, streamed])
@pytest.mark.parametrize("data", [pcap(), pcapng(), MANY])
def test_compressed_captures_read_alike(pack, data):
    assert list(parse_capture(pack(data))) == list(parse_capture(data))


@pytest.mark.parametrize("pack", [gzip.compress, zst, streamed])
def test_parts_that_follow_each_other_are_one(pack):
    whole = pack(MANY[:1000]) + pack(b"") + pack(MANY[1000:])
    assert list(parse_capture(whole)) == list(parse_capture(MANY))


def test_padding_and_skippable_frames():
    plain = list(parse_capture(MANY))
    assert list(parse_capture(gzip.compress(MANY) + bytes(70_000))) == plain
    whole = SKIPPABLE + zst(MANY[:500]) + SKIPPABLE + zst(MANY[500:]) + SKIPPABLE
    assert list(parse_capture(whole)) == plain


@pytest.mark.parametrize("pack", [gzip.compress, zst, streamed])
def test_every_cut_is_found(pack):
    data = pack(pcap())
    for size in range(4, len(data)):
        with pytest.raises(CaptureError) as refused:
            parse_capture(data[:size])
        assert refused.value.offset == size, size


@pytest.mark.parametrize("pack", [gzip.compress, streamed])
def test_a_wrong_checksum_is_found(pack):
    data = bytearray(pack(MANY))
    data[-6 if pack is gzip.compress else -2] ^= 1
    with pytest.raises(CaptureError) as refused:
        parse_capture(bytes(data))
    assert refused.value.offset is not None


@pytest.mark.parametrize("tail", [b"rubbish", b"\x1f\x8c", b"\0\0x"])
def test_rubbish_behind_is_found(tail):
    for pack in (gzip.compress, zst):
        data = pack(MANY)
        with pytest.raises(CaptureError) as refused:
            parse_capture(data + tail)
        assert refused.value.offset >= len(data)


def test_a_window_beyond_reason_is_refused():
    parameters = zstandard.ZstdCompressionParameters(window_log=30, write_content_size=False)
    out = io.BytesIO()
    compressor = zstandard.ZstdCompressor(compression_params=parameters)
    with compressor.stream_writer(out, closefd=False) as writer:
        writer.write(MANY)
    with pytest.raises(CaptureError, match="zstd"):
        parse_capture(out.getvalue())


BOMB = """
import gzip, sys, time
from pathlib import Path
from beebox.errors import CaptureError
from beebox.userspace.captures import Captures, encode_capture
kind, path = sys.argv[1:]
header = encode_capture([])
with open(path, "wb") as out:
    if kind == "gzip":
        out.write(gzip.compress(header))
        out.write(gzip.compress(bytes(1 << 26), 9) * 30)
    else:  # a frame of run-length blocks: 128 KiB from 4 bytes
        out.write(b"\\x28\\xb5\\x2f\\xfd\\x00\\x38")
        out.write((len(header) << 3).to_bytes(3, "little") + header)
        out.write(((1 << 17 << 3) | 2).to_bytes(3, "little") + b"\\0")
        for _ in range(100_000):
            out.write(((1 << 17 << 3) | 2).to_bytes(3, "little") + b"\\0")
packets, start = 0, time.monotonic()
try:
    for block in Captures([path]):
        packets += len(block)
except CaptureError as error:
    print("refused", error.offset is not None)
peak = Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]
print(time.monotonic() - start, peak)
"""


@pytest.mark.parametrize("kind", ["gzip", "zstd"])
def test_bombs_are_refused_in_bounded_time_and_memory(kind, tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", BOMB, kind, tmp_path / "bomb"],
        capture_output=True,
        text=True,
        check=True,
    )
    outcome, figures = done.stdout.splitlines()
    seconds, kib = figures.split()
    assert outcome == "refused True"
    assert float(seconds) < 30
    assert int(kib) < 200 << 10


@pytest.mark.parametrize("suffix", [".gz", ".zst", ""])
def test_what_is_written_is_the_same_every_time(suffix):
    written = []
    for _ in range(2):
        out = io.BytesIO()
        stream = compressed(out, suffix)
        stream.write(encode_capture(PACKETS))
        if stream is not out:
            stream.close()
        written.append(out.getvalue())
        time.sleep(0.01)
    assert written[0] == written[1]
    assert list(parse_capture(written[0])) == [data for _, data in PACKETS]


def test_zstd_without_its_package_names_the_extra(tmp_path):
    path = tmp_path / "x.pcap.zst"
    path.write_bytes(zst(pcap()))
    program = (
        "import sys; sys.modules['zstandard'] = None\n"
        "from beebox.errors import NotSupportedError\n"
        "from beebox.userspace.captures import read_capture\n"
        "from beebox.userspace.captures.writing import CaptureWriter\n"
        "for ask in (read_capture, CaptureWriter):\n"
        "    try: ask(sys.argv[1])\n"
        "    except NotSupportedError as error: print(error.hint)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, path], capture_output=True, text=True, check=True
    )
    if sys.version_info < (3, 14):
        assert done.stdout.splitlines() == ["pip install 'beebox[zstd]'"] * 2
    else:
        assert done.stdout == ""
