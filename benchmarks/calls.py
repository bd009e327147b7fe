"""Programs called from Python: ns per call and per packet of a batch, by threads.

One packet at a time through the program object, beside the same program through ctypes and beside
`len`, the least that a call of native code costs in this Python. Batches in one, two and four
threads of a kernel with four CPUs. Minima over rounds.

    .venv/bin/python benchmarks/calls.py [--rounds N]
"""

from __future__ import annotations

import argparse
import ctypes
import threading
import time
import timeit
from collections.abc import Callable
from typing import Any

import numpy as np

from beebox.isa.assembler import assemble
from beebox.llvm import native, worker
from beebox.obj.model import FunctionSpec, MapSpec, ObjectSpec
from beebox.tables.map_types import MapType
from beebox.userspace.kernel import UserspaceKernel
from beebox.vm.jit import lower
from beebox.vm.memory import PROGRAM, PROGRAM_SIGNATURE, Packet, Runtime, address_of

PARSE = """
r2 = *(u32 *)(r1 + 0)
r3 = *(u32 *)(r1 + 4)
r4 = r2
r4 += 34
r0 = 1
if r4 > r3 goto out
r5 = *(u16 *)(r2 + 12)
if r5 != 8 goto out
r5 = *(u8 *)(r2 + 23)
if r5 == 17 goto out
r0 = 2
out:
exit
"""
COUNT = """
r2 = *(u32 *)(r1 + 0)
r3 = *(u32 *)(r1 + 4)
r4 = r2
r4 += 34
r0 = 1
if r4 > r3 goto out
r5 = *(u32 *)(r2 + 26)
*(u32 *)(r10 - 4) = r5
r2 = r10
r2 += -4
r1 = map[{name}] ll
call 1
if r0 == 0 goto out
r1 = *(u64 *)(r0 + 0)
r1 += 1
*(u64 *)(r0 + 0) = r1
out:
r0 = 2
exit
"""
WRITE = PARSE.replace("r0 = 2", "*(u16 *)(r2 + 0) = 7\nr0 = 2")
MAPS = {
    "array": MapSpec("array", MapType.ARRAY, 4, 8, 16),
    "flows": MapSpec("flows", MapType.PERCPU_HASH, 4, 8, 16384),
}
PROGRAMS = {
    "drop": "r0 = 1\nexit",
    "parse": PARSE,
    "parse, write": WRITE,
    "parse, array": COUNT.format(name="array"),
    "parse, per-CPU hash": COUNT.format(name="flows"),
}
FLOWS = 10_000
PACKETS = 200_000
CPUS = 4


def frame(flow: int) -> bytes:
    """A UDP packet's first 64 bytes; the source address is the flow."""
    head = bytearray(64)
    head[12:15] = b"\x08\x00\x45"
    head[23] = 6
    head[26:30] = flow.to_bytes(4, "little")
    return bytes(head)


def per_call(call: Callable[[Any], Any], argument: Any, rounds: int) -> float:
    """Nanoseconds of one call, the loop's share included."""
    scope = {"call": call, "argument": argument}
    runs = timeit.repeat("call(argument)", globals=scope, number=200_000, repeat=rounds)
    return min(runs) / 200_000 * 1e9


def through_ctypes(program: Any, rounds: int) -> float:
    """The same program's native code by ctypes, the packet in place: ns per call."""
    verified = program.report.require_accepted()
    if verified.maps:
        return float("nan")
    obj = worker.compile_native(lower(verified, maps={}, helpers={}))
    runtime, packet = Runtime(), Packet(64)
    packet.load(frame(1))
    with native.link(obj, imports={}, exports=[PROGRAM]) as code:
        function = code.function(PROGRAM, *PROGRAM_SIGNATURE)
        where = (ctypes.c_void_p(packet.context_address), ctypes.c_void_p(address_of(runtime)))
        return per_call(lambda pair: function(*pair), where, rounds)


def per_packet(program: Any, threads: int, rounds: int) -> float:
    """Nanoseconds of wall time per packet of batches in ``threads`` threads at once."""
    data = b"".join(frame(at % FLOWS) for at in range(PACKETS))
    offsets = np.arange(PACKETS, dtype=np.uint64) * 64
    lengths = np.full(PACKETS, 64, dtype=np.uint32)
    best = float("inf")
    for _ in range(rounds):
        workers = [
            threading.Thread(
                target=lambda: [program.run_batch(data, offsets, lengths) for _ in range(5)]
            )
            for _ in range(threads)
        ]
        start = time.perf_counter_ns()
        for worker_ in workers:
            worker_.start()
        for worker_ in workers:
            worker_.join()
        best = min(best, (time.perf_counter_ns() - start) / (5 * PACKETS * threads))
    return best


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    packet = frame(1)
    print(f"len(packet): {per_call(len, packet, options.rounds):.1f} ns")
    print(f"{'':22} {'call':>7} {'ctypes':>7} {'test_run':>9}   batch, threads: 1, 2, 4")
    for name, text in PROGRAMS.items():
        function = FunctionSpec("main", "xdp", assemble(text))
        spec = ObjectSpec({"main": function}, MAPS, license="GPL")
        with UserspaceKernel(cpus=CPUS).load(spec) as loaded:
            program = loaded.programs["main"]
            slots = CPUS * 8
            items = [(flow.to_bytes(4, "little"), bytes(slots)) for flow in range(FLOWS)]
            loaded.maps["flows"].update_batch(items)
            program(packet)
            call = per_call(program, packet, options.rounds)
            slow = per_call(program.test_run, packet, 1)
            plain = through_ctypes(program, options.rounds)
            batches = [per_packet(program, threads, options.rounds) for threads in (1, 2, 4)]
            shown = " ".join(f"{ns:7.2f}" for ns in batches)
            print(f"{name:22} {call:7.1f} {plain:7.1f} {slow:9.0f}   {shown}")


if __name__ == "__main__":
    main()
