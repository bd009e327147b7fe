"""ns per map operation from a program, beside Linux's JIT running the same object.

Each program does one operation on a key that it makes from the frame's first bytes. Ours runs over
40,000 frames in the native batch loop; Linux over a sample of them by BPF_PROG_TEST_RUN with
`repeat`. Both kernels take turns; minima are shown, less those of the same program without the
operation (row `frame`). Without the right to use bpf(2) our side stands alone.

    .venv/bin/python benchmarks/maps.py [--rounds N]
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Callable

from beebox.isa.assembler import assemble
from beebox.linux.features import why_not
from beebox.linux.kernel import LinuxKernel
from beebox.linux.objects import possible_cpus
from beebox.obj.model import FunctionSpec, MapSpec, ObjectSpec
from beebox.tables.map_types import MapType
from beebox.userspace.captures import Capture, encode_capture, parse_capture
from beebox.userspace.engines import Packets
from beebox.userspace.kernel import UserspaceKernel

ENTRIES = 10_000
FRAMES = 40_000
SAMPLE = 8
REPEAT = 50_000

KEYED = {
    4: "r3 = *(u32 *)(r6 + 0)\n*(u32 *)(r10 - 16) = r3\n",
    16: "r3 = *(u64 *)(r6 + 0)\n*(u64 *)(r10 - 16) = r3\n*(u64 *)(r10 - 8) = r3\n",
}
FRAME = (
    "r6 = *(u32 *)(r1 + 0)\nr7 = *(u32 *)(r1 + 4)\nr2 = r6\nr2 += 14\nr0 = 0\nif r2 > r7 goto out\n"
)
ADDRESS = "r2 = r10\nr2 += -16\nr1 = map[m] ll\n"
LOOKUP = ADDRESS + "call 1\nif r0 == 0 goto out\nr0 = *(u64 *)(r0 + 0)\n"
UPDATE = "*(u64 *)(r10 - 24) = 5\n" + ADDRESS + "r3 = r10\nr3 += -24\nr4 = 0\ncall 2\n"
RENEW = UPDATE + ADDRESS + "call 3\n"
ROWS = [
    ("hash lookup, 4-byte key", MapType.HASH, 4, LOOKUP, True),
    ("hash lookup, 16-byte key", MapType.HASH, 16, LOOKUP, True),
    ("hash lookup, missing key", MapType.HASH, 4, LOOKUP, False),
    ("hash update of existing", MapType.HASH, 4, UPDATE, True),
    ("hash insert and delete", MapType.HASH, 4, RENEW, False),
    ("percpu_hash lookup", MapType.PERCPU_HASH, 4, LOOKUP, True),
    ("array lookup", MapType.ARRAY, 4, LOOKUP, True),
    ("percpu_array lookup", MapType.PERCPU_ARRAY, 4, LOOKUP, True),
]


def object_of(kind: MapType, key_size: int, operation: str) -> ObjectSpec:
    """The program that does ``operation`` once per frame."""
    text = FRAME + KEYED[key_size] + operation + "r0 &= 3\nout:\nexit"
    spec = MapSpec("m", kind, key_size, 8, ENTRIES)
    maps = {"m": spec} if "map[m]" in text else {}
    return ObjectSpec({"main": FunctionSpec("main", "xdp", assemble(text))}, maps, license="GPL")


def key_of(index: int, key_size: int) -> bytes:
    """The key that a frame of this index makes."""
    return (index.to_bytes(8, "little") * 2)[:key_size]


def frames(present: bool) -> Capture:
    """Frames that name keys in the map, or keys that are not."""
    source = random.Random(1)
    indexes = (source.randrange(ENTRIES) + (0 if present else ENTRIES) for _ in range(FRAMES))
    return parse_capture(
        encode_capture((0, index.to_bytes(8, "little") + bytes(56)) for index in indexes)
    )


def measure(spec: ObjectSpec, capture: Capture, rounds: int, fill: bool) -> tuple[float, float]:
    """Minimal ns per frame here and on Linux (infinity where there is none)."""
    best = theirs = float("inf")
    linux = LinuxKernel().load(spec) if why_not() is None else None
    with UserspaceKernel().load(spec) as loaded:
        if fill:
            populate(loaded.maps["m"].update_batch, spec.maps["m"], 1)
            if linux is not None:
                populate(linux.maps["m"].update_batch, spec.maps["m"], possible_cpus())
        program = loaded.programs["main"]
        whole = Packets(capture.data, capture.offsets, capture.lengths, capture.times_ns)
        packets = [capture.packet(at) for at in range(0, FRAMES, FRAMES // SAMPLE)]
        for _ in range(rounds):
            for _ in range(5):
                best = min(best, program.run_packets(whole)[1] / FRAMES)
            if linux is not None:
                runs = [linux.programs["main"].test_run(p, repeat=REPEAT) for p in packets]
                theirs = min(theirs, sum(run.duration_ns for run in runs) / len(runs))
    if linux is not None:
        linux.close()
    return best, theirs


def populate(update: Callable[[list[tuple[bytes, bytes]]], None], spec: MapSpec, cpus: int) -> None:
    """Fill a map with the keys that :func:`frames` names."""
    slots = cpus if spec.type.value.per_cpu else 1
    update([(key_of(index, spec.key_size), bytes(8 * slots)) for index in range(ENTRIES)])


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=8)
    options = parser.parse_args()
    print(f"{'operation':26} {'ns':>7} {'linux':>7} {'ratio':>7}")
    base: dict[int, tuple[float, float]] = {}
    for key_size in KEYED:
        base[key_size] = measure(
            object_of(MapType.HASH, key_size, ""), frames(present=True), options.rounds, fill=False
        )
        here, there = base[key_size]
        print(f"{f'frame, {key_size}-byte key':26} {here:7.2f} {there:7.1f} {there / here:6.1f}x")
    for label, kind, key_size, operation, present in ROWS:
        spec = object_of(kind, key_size, operation)
        fill = operation is not RENEW
        here, there = measure(spec, frames(present), options.rounds, fill)
        here, there = here - base[key_size][0], there - base[key_size][1]
        print(f"{label:26} {here:7.2f} {there:7.1f} {there / here:6.1f}x")


if __name__ == "__main__":
    main()
