"""ns per packet of native code, beside Linux's JIT running the same object.

Part one replays a capture that is held in memory: every packet by our native loop, and a sample of
them by BPF_PROG_TEST_RUN with `repeat`. Part two runs small programs on one packet. Both kernels
take turns, and the minimum of each is shown. TEST_RUN's own loop is in Linux's figures (see the
row `drop`), reading the capture and the clock in ours. Without the right to use bpf(2) our side
stands alone.

    .venv/bin/python benchmarks/jit.py [--rounds N] [--capture FILE] [PROGRAM.py ...]
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Callable
from pathlib import Path

import numpy as np

from beebox import api
from beebox.backend import Collection
from beebox.isa.assembler import assemble
from beebox.linux.features import why_not
from beebox.linux.kernel import LinuxKernel
from beebox.obj.model import FunctionSpec, MapSpec, ObjectSpec
from beebox.tables.map_types import MapType
from beebox.userspace.captures import Capture, encode_capture, parse_capture, read_capture
from beebox.userspace.engines import Packets
from beebox.userspace.kernel import UserspaceKernel
from beebox.userspace.program import UserspaceProgram

EXAMPLES = Path(__file__).parent.parent / "examples"
REPEAT = 20_000
SAMPLE = 40

MAPS = {
    "counts": MapSpec("counts", MapType.ARRAY, 4, 8, 256),
    "sources": MapSpec("sources", MapType.HASH, 4, 8, 10_000),
}
PARSE = """
r6 = *(u32 *)(r1 + 0)
r7 = *(u32 *)(r1 + 4)
r2 = r6
r2 += 34
r0 = 2
if r2 > r7 goto out
r3 = *(u16 *)(r6 + 12)
if r3 != 8 goto out
"""
COUNT = """
*(u32 *)(r10 - 4) = r3
r2 = r10
r2 += -4
r1 = map[{map}] ll
call 1
if r0 == 0 goto {missing}
r1 = 1
lock *(u64 *)(r0 + 0) += r1
r0 = 2
out:
exit
"""
SMALL = {
    "drop": "r0 = 1\nexit",
    "parse": PARSE + "r0 = *(u8 *)(r6 + 23)\nout:\nexit",
    "parse + array count": PARSE
    + "r3 = *(u8 *)(r6 + 23)"
    + COUNT.format(map="counts", missing="out"),
    "parse + hash count": PARSE
    + "r3 = *(u32 *)(r6 + 26)"
    + COUNT.format(map="sources", missing="new")
    + """
new:
*(u64 *)(r10 - 16) = 1
r2 = r10
r2 += -4
r3 = r10
r3 += -16
r4 = 0
r1 = map[sources] ll
call 2
r0 = 2
exit
""",
    "checksum of 20 bytes": PARSE
    + """
r0 = 0
r3 = r6
r3 += 14
r4 = 0
loop:
r5 = *(u16 *)(r3 + 0)
r0 += r5
r3 += 2
r4 += 1
if r4 < 10 goto loop
out:
exit
""",
}


def small_object(text: str) -> ObjectSpec:
    """One program with the maps above, as far as it names them."""
    maps = {name: spec for name, spec in MAPS.items() if f"map[{name}]" in text}
    return ObjectSpec({"main": FunctionSpec("main", "xdp", assemble(text))}, maps, license="GPL")


def ipv4_packets(count: int) -> Capture:
    """64-byte UDP frames from 8000 sources."""
    source = random.Random(1)
    frames = []
    for _ in range(count):
        frame = bytearray(64)
        frame[12:15] = b"\x08\x00\x45"
        frame[23] = 17
        frame[26:30] = source.randrange(8000).to_bytes(4, "little")
        frames.append((0, bytes(frame)))
    return parse_capture(encode_capture(frames))


def ours(program: UserspaceProgram, capture: Capture) -> Callable[[], float]:
    """One pass over the capture: ns per packet."""
    lengths = np.minimum(capture.lengths, 3520).astype(np.uint32)
    packets = Packets(capture.data, capture.offsets, lengths, capture.times_ns)

    def run() -> float:
        _, elapsed = program.run_packets(packets)
        return elapsed / len(lengths)

    return run


def theirs(loaded: Collection, name: str, packets: list[bytes]) -> Callable[[], float]:
    """A few packets, each many times: ns per run."""
    program = loaded.programs[name]

    def run() -> float:
        return sum(program.test_run(packet, repeat=REPEAT).duration_ns for packet in packets) / len(
            packets
        )

    return run


def compare(label: str, spec: ObjectSpec, capture: Capture, rounds: int) -> None:
    """Run both in turns and print one row."""
    name = spec.program_names[0]
    packets = [capture.packet(at) for at in range(0, len(capture), max(1, len(capture) // SAMPLE))]
    packets = [packet for packet in packets if 14 <= len(packet) <= 3520]
    with UserspaceKernel().load(spec) as loaded:
        mine = ours(loaded.programs[name], capture)
        linux = LinuxKernel().load(spec) if why_not() is None else None
        kernel = theirs(linux, name, packets) if linux is not None else None
        best = kernel_best = float("inf")
        for at in range(rounds):
            best = min([best, *(mine() for _ in range(20))])
            if kernel is not None and at % 4 == 0:
                kernel_best = min(kernel_best, kernel())
        if linux is not None:
            linux.close()
    beside = f"{kernel_best:8.1f}  {kernel_best / best:6.1f}x" if kernel else "       -       -"
    print(f"{label:24} {best:8.2f} {1e3 / best:8.1f}  {beside}")


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("programs", nargs="*", default=[str(EXAMPLES / "firewall.py")])
    parser.add_argument("--capture", default=str(EXAMPLES / "capture.pcap"))
    parser.add_argument("--rounds", type=int, default=12)
    options = parser.parse_args()
    print(f"{'program':24} {'ns/pkt':>8} {'Mpps':>8}  {'linux':>8}  {'ratio':>7}")
    for path in options.programs:
        spec = api.open_object(path)
        compare(Path(path).name, spec, read_capture(options.capture), options.rounds)
    packets = ipv4_packets(40_000)
    for label, text in SMALL.items():
        compare(label, small_object(text), packets, options.rounds)


if __name__ == "__main__":
    main()
