"""Replaying a capture: Mpps per core in both engines, Linux beside it, and whole processes.

The capture is held in memory and repeated to a long one, so that the caches of one pass do not
flatter us. Linux runs every frame of it once by BPF_PROG_TEST_RUN with `repeat`, and its figure
has TEST_RUN's own loop in it. Minima of rounds in which all take turns. Then the wall time of
`import beebox` and of `beebox replay` with a warm cache.

    .venv/bin/python benchmarks/replay.py [--rounds N] [--capture FILE] [PROGRAM.py]
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from beebox import api
from beebox.linux.features import why_not
from beebox.linux.kernel import LinuxKernel
from beebox.userspace.captures import Capture, read_capture
from beebox.userspace.kernel import UserspaceKernel
from beebox.userspace.replay import replay

EXAMPLES = Path(__file__).parent.parent / "examples"
COPIES = 20
SAMPLE = 100
REPEAT = 5_000


def repeated(capture: Capture, copies: int) -> Capture:
    """The capture ``copies`` times over, in memory of its own, time going on."""
    size, span = len(capture.data), int(capture.times_ns.max() - capture.times_ns.min()) + 1
    rows = range(copies)
    return Capture(
        file=capture.file,
        data=np.tile(capture.data, copies),
        offsets=np.concatenate([capture.offsets + np.uint64(size * row) for row in rows]),
        lengths=np.tile(capture.lengths, copies),
        wire_lengths=np.tile(capture.wire_lengths, copies),
        times_ns=np.concatenate([capture.times_ns + np.uint64(span * row) for row in rows]),
    )


def wall_seconds(arguments: list[str], rounds: int) -> float:
    """The least wall time of a whole process, output discarded."""
    best = float("inf")
    for _ in range(rounds):
        start = time.perf_counter()
        subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
        best = min(best, time.perf_counter() - start)
    return best


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program", nargs="?", default=str(EXAMPLES / "firewall.py"))
    parser.add_argument("--capture", default=str(EXAMPLES / "capture.pcap"))
    parser.add_argument("--rounds", type=int, default=10)
    options = parser.parse_args()

    spec = api.open_object(options.program)
    name = spec.program_names[0]
    short = read_capture(options.capture)
    long = repeated(short, COPIES)
    packets = [packet for packet in short if 14 <= len(packet) <= 3520]
    packets = packets[:: max(1, len(packets) // SAMPLE)]
    best = {"jit": float("inf"), "interpreter": float("inf"), "linux": float("inf")}
    jit, interpreter = UserspaceKernel("jit").load(spec), UserspaceKernel("interpreter").load(spec)
    linux = LinuxKernel().load(spec) if why_not() is None else None
    for at in range(options.rounds):
        for _ in range(5):
            best["jit"] = min(best["jit"], replay(jit.programs[name], long).ns_per_packet)
        if at % 5 == 0:
            slow = replay(interpreter.programs[name], short).ns_per_packet
            best["interpreter"] = min(best["interpreter"], slow)
        if linux is not None:
            runs = [linux.programs[name].test_run(packet, repeat=REPEAT) for packet in packets]
            mean = sum(run.duration_ns for run in runs) / len(runs)
            best["linux"] = min(best["linux"], mean)
    print(f"{Path(options.program).name}: {len(long)} packets, {long.total_bytes >> 20} MiB")
    print(f"{'engine':14} {'ns/pkt':>10} {'Mpps':>8} {'beside jit':>11}")
    for engine, ns in best.items():
        if ns != float("inf"):
            print(f"{engine:14} {ns:10.1f} {1e3 / ns:8.2f} {ns / best['jit']:10.1f}x")
    for loaded in (jit, interpreter, linux):
        if loaded is not None:
            loaded.close()

    command = ["-m", "beebox", "replay", options.program, options.capture]
    print(f"import beebox          {1e3 * wall_seconds(['-c', 'import beebox'], 10):6.0f} ms")
    print(f"python alone           {1e3 * wall_seconds(['-c', 'pass'], 10):6.0f} ms")
    print(f"beebox replay (warm)   {1e3 * wall_seconds(command, 5):6.0f} ms")


if __name__ == "__main__":
    main()
