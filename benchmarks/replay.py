"""Replaying captures: parsing and counting beside Linux, growth with size and threads, formats.

Packets are 60-byte UDP frames of 10,000 flows, each followed by another flow's. Linux has no
replay: beside ours stands a test run in both kernels, of a program that puts the next flow's
address into the one frame that is repeated (`benchmarks/flows.py`); TEST_RUN's own loop is in its
figure. Kernels take turns; minima of rounds. Then threads over packets in memory; whole files of up
to 10 million packets, from the first byte to the result; reading and writing by format; and the
wall time of whole processes with a warm cache.

    .venv/bin/python benchmarks/replay.py [--rounds N] [--most N]
"""

from __future__ import annotations

import argparse
import os
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from beebox import api
from beebox.backend import Program
from beebox.linux.features import why_not
from beebox.linux.kernel import LinuxKernel
from beebox.userspace.captures import Capture, Captures, encode_capture, read_capture
from beebox.userspace.captures.compression import compressed
from beebox.userspace.captures.writing import CaptureWriter
from beebox.userspace.filtering import PacketFilter
from beebox.userspace.kernel import UserspaceKernel
from beebox.userspace.observers.passed import Passed
from beebox.userspace.replay import replay

HERE = Path(__file__).parent
EXAMPLES = HERE.parent / "examples"
FLOWS = 10_000
FRAME_BYTES = 60
REPEAT = 20 * FLOWS


def generate(path: Path, packets: int) -> None:
    """A pcap file of ``packets`` UDP frames of :data:`FLOWS` flows, a microsecond apart."""
    ip = b"\x45\0\0\x2e" + bytes(4) + b"\x40\x11" + bytes(6) + b"\x0a\xff\0\1"
    frame = bytes(12) + b"\x08\0" + ip + struct.pack(">HHHH", 1000, 53, 26, 0)
    rows = np.zeros((min(packets, 1 << 19), 16 + FRAME_BYTES), dtype=np.uint8)
    rows[:, 16:] = np.frombuffer(frame.ljust(FRAME_BYTES, b"\0"), dtype=np.uint8)
    words = rows[:, :16].view("<u4")
    words[:, 2:] = FRAME_BYTES
    with path.open("wb") as out:
        out.write(encode_capture([]))
        for first in range(0, packets, len(rows)):
            count = min(len(rows), packets - first)
            numbers = np.arange(first, first + count)
            words[:count, 0] = numbers // 1_000_000
            words[:count, 1] = numbers % 1_000_000 * 1000
            sources = (0x0A00_0000 + numbers % FLOWS).astype(">u4")
            rows[:count, 42:46] = sources.view(np.uint8).reshape(-1, 4)
            rows[:count].tofile(out)


def best(rounds: int, measure: Callable[[], float]) -> float:
    """The least of several measurements."""
    return min(measure() for _ in range(rounds))


def beside_linux(capture: Capture, rounds: int) -> None:
    """Nanoseconds per packet in both kernels, by what a flow's key is."""
    spec = api.open_object(HERE / "flows.py")
    print(f"{len(capture)} packets of {FLOWS} flows in {len(capture.data) >> 20} MiB of memory")
    print(f"{'ns/packet':24} {'replay':>10} {'test run':>10} {'linux':>8} {'linux/replay':>13}")
    frame = capture.packet(0)
    with UserspaceKernel().load(spec) as ours:
        linux = LinuxKernel().load(spec) if why_not() is None else None
        for name in ("pairs", "flows"):
            read, made, there = float("inf"), float("inf"), float("inf")
            for _ in range(rounds):
                run = ours.programs[f"count_{name}"]
                read = min(read, best(5, lambda run=run: replay(run, capture).ns_per_packet))
                made = min(made, tested(ours.programs[f"cycle_{name}"], frame))
                if linux is not None:
                    there = min(there, tested(linux.programs[f"cycle_{name}"], frame))
            shown = f"{there:8.0f} {there / read:12.1f}x" if linux is not None else ""
            print(f"count {name:18} {read:10.1f} {made:10.0f} {shown}")
        if linux is not None:
            linux.close()


def tested(program: Program, frame: bytes) -> float:
    """A test run's own figure, every flow many times."""
    return program.test_run(frame, repeat=REPEAT).duration_ns


def by_size(folder: Path, most: int, rounds: int) -> Path:
    """Whole files, read and run: the time from the first byte to the result. The last file."""
    spec = api.open_object(HERE / "flows.py")
    path = folder / "flows.pcap"
    print(f"\n{'packets in a file':24} {'seconds':>10} {'Mpps':>8} {'program alone, ns':>18}")
    with UserspaceKernel().load(spec, programs=["count_pairs"]) as live:
        size = 10_000
        while size <= most:
            generate(path, size)
            took, alone = float("inf"), float("inf")
            for _ in range(rounds):
                start = time.perf_counter()
                result = replay(live.programs["count_pairs"], Captures([path]))
                took = min(took, time.perf_counter() - start)
                alone = min(alone, result.ns_per_packet)
            print(f"{size:<24} {took:10.4f} {size / took / 1e6:8.1f} {alone:18.1f}")
            size *= 10
    return path


def by_threads(capture: Capture, rounds: int) -> None:
    """One program, its packets in memory, from several threads at once."""
    spec = api.open_object(HERE / "flows.py")
    print(f"\n{'threads':24} {'Mpps':>10} {'growth':>8}")
    alone = 0.0
    for count in [1, *(n for n in (2, 4, 8) if n <= (os.cpu_count() or 1))]:
        with UserspaceKernel(cpus=count).load(spec, programs=["count_pairs_per_cpu"]) as live:
            program = live.programs["count_pairs_per_cpu"]
            took = best(rounds, lambda p=program, n=count: threaded(p, capture, n))
        rate = count * len(capture) / took / 1e6
        alone = alone or rate
        print(f"{count:<24} {rate:10.1f} {rate / alone:7.2f}x")


def threaded(program: Program, capture: Capture, count: int) -> float:
    """The seconds in which each of ``count`` threads runs over the whole capture."""
    start = threading.Barrier(count + 1)

    def work() -> None:
        start.wait()
        program.run_batch(capture.data, capture.offsets, capture.lengths)

    threads = [threading.Thread(target=work) for _ in range(count)]
    for thread in threads:
        thread.start()
    start.wait()
    began = time.perf_counter()
    for thread in threads:
        thread.join()
    return time.perf_counter() - began


def by_format(path: Path, packets: int, rounds: int) -> None:
    """Reading alone, by format; filtering; writing what passes."""
    print(f"\n{'reading alone':24} {'MiB':>10} {'Mpps':>8}")
    copies = {"pcap": path, "pcapng": path.with_suffix(".pcapng")}
    with CaptureWriter(copies["pcapng"]) as writer:
        for block in Captures([path]):
            writer.write(block)
    for kind in ("pcap", "pcapng"):
        for suffix in (".gz", ".zst"):
            copies[kind + suffix] = copies[kind].with_name(f"flows.{kind}{suffix}")
            with copies[kind + suffix].open("wb") as file:
                packed = compressed(file, suffix)
                packed.write(copies[kind].read_bytes())
                packed.close()
    for kind, copy in copies.items():
        took = best(rounds, lambda copy=copy: seconds_of(lambda: drain(copy)))
        print(f"{kind:24} {copy.stat().st_size >> 20:10} {packets / took / 1e6:8.1f}")
    capture = read_capture(path)
    print(f"\n{'filter, in memory':24} {'ns/packet':>10}")
    for text in ("udp", "src host 10.0.0.7", "tcp port 443 or net 10.0.1.0/24 and not arp"):
        with PacketFilter(text) as chosen:
            took = best(rounds, lambda f=chosen: seconds_of(lambda: f.matches(capture)))
        print(f"{text:44.44} {took / packets * 1e9:7.1f}")
    spec = api.open_object(EXAMPLES / "count.py")
    with UserspaceKernel().load(spec) as live:
        program = live.programs[spec.program_names[0]]
        for suffix in ("pcap", "pcapng"):
            out = path.with_name(f"out.{suffix}")
            took = best(rounds, lambda o=out: seconds_of(lambda: rewrite(program, path, o)))
            print(f"{f'replay -o out.{suffix}':44} {took / packets * 1e9:7.1f}")


def drain(path: Path) -> int:
    """Read every packet."""
    return sum(len(block) for block in Captures([path]))


def rewrite(program: Program, path: Path, out: Path) -> None:
    """Replay a file and write what passes."""
    with CaptureWriter(out) as writer:
        replay(program, Captures([path]), observers=[Passed(writer)])


def seconds_of(work: Callable[[], object]) -> float:
    """How long it takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def whole_processes(rounds: int) -> None:
    """The example firewall over the example capture; import and command, in ms."""
    spec = api.open_object(EXAMPLES / "firewall.py")
    capture = read_capture(EXAMPLES / "capture.pcap")
    print(f"\n{'example firewall':24} {'ns/packet':>10}")
    for engine in ("jit", "interpreter"):
        with UserspaceKernel(engine).load(spec) as live:
            program = live.programs["firewall"]
            turns = 20 * rounds if engine == "jit" else 1
            ns = best(turns, lambda p=program: replay(p, capture).ns_per_packet)
            print(f"{engine:24} {ns:10.1f}")
    command = ["-m", "beebox", "replay", str(EXAMPLES / "firewall.py")]
    command.append(str(EXAMPLES / "capture.pcap"))
    print(f"\n{'whole processes':24} {'ms':>10}")
    rows = {"python": ["-c", "pass"], "import beebox": ["-c", "import beebox"]}
    for name, words in {**rows, "beebox replay (warm)": command}.items():
        took = best(rounds, lambda w=words: seconds_of(lambda: process(w)))
        print(f"{name:24} {took * 1e3:10.0f}")


def process(words: list[str]) -> None:
    """Run Python to its end, output discarded."""
    subprocess.run([sys.executable, *words], check=True, stdout=subprocess.DEVNULL)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--most", type=int, default=10_000_000, help="packets in the longest file")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        generate(folder / "short.pcap", 10 * FLOWS)
        short = read_capture(folder / "short.pcap")
        beside_linux(short, options.rounds)
        by_threads(short, options.rounds)
        by_size(folder, options.most, max(2, options.rounds // 3))
        generate(folder / "formats.pcap", 1_000_000)
        by_format(folder / "formats.pcap", 1_000_000, max(2, options.rounds // 3))
    whole_processes(max(3, options.rounds // 2))


if __name__ == "__main__":
    main()
