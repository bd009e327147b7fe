"""Where bytes come from: windows of any size, several files, pipes, endless ones, memory bounds."""

import os
import random
import subprocess
import sys
import threading

import pytest
from capturefiles import PACKETS, pcap, pcapng

from beebox.errors import CaptureError
from beebox.userspace.captures import Captures, parse_capture, read_capture
from beebox.userspace.captures.reading import blocks
from beebox.userspace.captures.streams import MemoryStream
from beebox.userspace.observers.passed import limited

MANY = [(n * 1000, random.Random(n).randbytes(n % 300)) for n in range(700)]


@pytest.mark.parametrize("block_bytes", [24, 61, 1000, 1 << 16, 1 << 20])
@pytest.mark.parametrize("data", [pcap(packets=MANY), pcap(">", packets=MANY)])
def test_windows_of_any_size_read_alike(block_bytes, data):
    found = list(blocks(MemoryStream(data, file="x"), block_bytes=block_bytes))
    assert [packet for block in found for packet in block] == [packet for _, packet in MANY]
    assert [time for block in found for time in block.times_ns.tolist()] == [t for t, _ in MANY]
    numbers = [block.number(i) for block in found for i in range(len(block))]
    assert numbers == list(range(1, len(MANY) + 1))


def test_more_packets_than_a_block_has_room_for():
    data = pcap(packets=[]) + bytes(16 * ((1 << 18) + 5))
    found = list(blocks(MemoryStream(data, file="x"), block_bytes=1 << 23))
    assert [len(block) for block in found] == [1 << 18, 5]


def test_parts_and_selections_keep_their_numbers():
    capture = parse_capture(pcap(packets=MANY))
    odd = capture.select(capture.lengths % 2 == 1)
    assert [odd.number(i) for i in range(3)] == [2, 4, 6]
    part = odd.part(1, 3)
    assert [part.number(i) for i in range(2)] == [4, 6]
    assert list(part) == [MANY[3][1], MANY[5][1]]
    assert capture.part(5, 7).number(0) == 6
    assert capture.select(capture.lengths < 1 << 20) is capture


def test_several_files_in_order(tmp_path):
    (tmp_path / "a.pcap").write_bytes(pcap())
    (tmp_path / "b.pcapng").write_bytes(pcapng())
    source = Captures([tmp_path / "a.pcap", tmp_path / "b.pcapng"])
    for _ in range(2):
        found = list(source)
        assert [block.file for block in found] == [
            str(tmp_path / n) for n in ("a.pcap", "b.pcapng")
        ]
        assert [packet for block in found for packet in block] == [data for _, data in PACKETS] * 2
        assert source.done == source.total == len(pcap()) + len(pcapng())


def test_a_pipe_is_read_as_it_comes(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    first = threading.Event()

    def feed():
        with pipe.open("wb", buffering=0) as out:
            out.write(pcap())
            first.wait(10)
            out.write(pcap()[24:])

    feeder = threading.Thread(target=feed)
    feeder.start()
    source = Captures([pipe])
    assert source.total is None
    found = iter(source)
    assert len(next(found)) == 2
    first.set()
    assert len(next(found)) == 2
    assert list(found) == []
    feeder.join()


def test_an_endless_pipe_ends_at_the_count(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)

    def feed():
        try:
            with pipe.open("wb", buffering=0) as out:
                out.write(pcap())
                while True:
                    out.write(pcap()[24:] * 100)
        except BrokenPipeError:
            pass

    feeder = threading.Thread(target=feed)
    feeder.start()
    assert sum(len(block) for block in limited(Captures([pipe]), 123_457)) == 123_457
    feeder.join(10)
    assert not feeder.is_alive()


@pytest.mark.parametrize(
    "path", ["/dev/zero", "/dev/null", "/no/such/file", "/", "a\0b", "/dev/random"]
)
def test_what_is_no_capture_is_an_error_at_once(path):
    with pytest.raises(CaptureError) as refused:
        read_capture(path)
    assert refused.value.file == path


BIG = """
from pathlib import Path
from beebox.userspace.captures import Captures
packets = 0
for block in Captures(["-"]):
    packets += len(block)
print(packets, Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0])
"""


def test_memory_does_not_grow_with_the_capture():
    """300 MB through a pipe, in less memory than it has beside Python and LLVM."""
    records = pcap()[24:] * 10_000
    with subprocess.Popen(
        [sys.executable, "-c", BIG], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        child.stdin.write(pcap(packets=[]))
        times = 300_000_000 // len(records)
        for _ in range(times):
            child.stdin.write(records)
        out, _ = child.communicate()
    packets, kib = map(int, out.split())
    assert packets == 2 * 10_000 * times
    assert kib < 200 << 10
