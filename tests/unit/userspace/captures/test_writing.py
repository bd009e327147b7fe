"""Captures written and read back: bytes, times, comments, names."""

import random
import struct

import numpy as np
import pytest
from capturefiles import pcap

from beebox.errors import CaptureError, InputError
from beebox.userspace.captures import parse_capture, read_capture
from beebox.userspace.captures.writing import CaptureWriter, frames_of

SUFFIXES = [f"{kind}{packed}" for kind in (".pcap", ".pcapng") for packed in ("", ".gz", ".zst")]
PACKETS = [(n * 999_999_937, random.Random(n).randbytes(n % 70)) for n in range(500)]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_what_is_written_reads_back(suffix, tmp_path):
    capture = parse_capture(pcap("<", 0xA1B23C4D, 1, PACKETS))
    path = tmp_path / f"out{suffix}"
    with CaptureWriter(path) as writer:
        writer.write(capture.part(0, 100), ["PASS", "", "a longer comment"])
        writer.write(capture.part(100, 100))
        writer.write(capture.part(100, 500), ["TX"], np.zeros(400, dtype=np.uint32))
        assert writer.packets == 500
    again = read_capture(path)
    assert list(zip(again.times_ns.tolist(), again, strict=True)) == PACKETS
    assert again.wire_lengths.tolist() == capture.wire_lengths.tolist()


def comments(data):
    """Each enhanced packet block's comment, read by hand."""
    at, found = 0, []
    while at < len(data):
        kind, size = struct.unpack_from("<II", data, at)
        if kind == 6:
            (captured,) = struct.unpack_from("<I", data, at + 20)
            options = at + 28 + (captured + 3) // 4 * 4
            text = None
            if options < at + size - 4:
                code, length = struct.unpack_from("<HH", data, options)
                assert code == 1
                text = data[options + 4 : options + 4 + length].decode()
                end = options + 4 + (length + 3) // 4 * 4
                assert data[end : end + 4] == bytes(4)
                assert end + 8 == at + size
            found.append(text)
        at += size
    return found


def test_pcapng_carries_a_comment_per_packet(tmp_path):
    capture = parse_capture(pcap("<", 0xA1B23C4D, 1, PACKETS[:6]))
    which = np.array([0, 1, 2, 1, 0, 2], dtype=np.uint32)
    with CaptureWriter(tmp_path / "x.pcapng") as writer:
        writer.write(capture, ["PASS", "", "UNKNOWN_77"], which)
    assert comments((tmp_path / "x.pcapng").read_bytes()) == [
        "PASS", None, "UNKNOWN_77", None, "PASS", "UNKNOWN_77",
    ]  # fmt: skip


def test_other_bytes_for_the_same_packets():
    capture = parse_capture(pcap("<", 0xA1B23C4D, 1, PACKETS[:3]))
    other = frames_of(capture, [b"abc", b"", bytes(100)])
    assert list(other) == [b"abc", b"", bytes(100)]
    assert other.times_ns.tolist() == capture.times_ns.tolist()
    assert other.wire_lengths.tolist() == [3, 0, 100]


@pytest.mark.parametrize("name", ["x", "x.txt", "x.gz", "x.pcap.bz2", ".pcap"])
def test_other_names_are_refused(name, tmp_path):
    with pytest.raises(InputError):
        CaptureWriter(tmp_path / name)
    assert not (tmp_path / name).exists()


def test_places_that_cannot_be_written(tmp_path):
    with pytest.raises(CaptureError):
        CaptureWriter(tmp_path / "no" / "x.pcap")
    (tmp_path / "folder.pcap").mkdir()
    with pytest.raises(CaptureError):
        CaptureWriter(tmp_path / "folder.pcap")
    writer = CaptureWriter(tmp_path / "x.pcap")
    writer.close()
    writer.close()
