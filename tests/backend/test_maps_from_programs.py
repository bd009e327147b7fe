"""Map helpers called by programs: the same results and contents in both engines and in Linux."""

import os
import random

import pytest

from beebox.isa.assembler import assemble
from beebox.linux.kernel import LinuxKernel
from beebox.obj.model import FunctionSpec, MapSpec, ObjectSpec
from beebox.tables.map_types import MapType
from beebox.userspace.kernel import UserspaceKernel

# The frame says what to do: at 14 the operation, at 15 the flags, at 16 key, at 24 value.
PROGRAM = """
r6 = *(u32 *)(r1 + 0)
r7 = *(u32 *)(r1 + 4)
r0 = 0
r1 = r6
r1 += 40
if r1 > r7 goto out
r1 = *(u64 *)(r6 + 16)
*(u64 *)(r10 - 16) = r1
r1 = *(u64 *)(r6 + 24)
*(u64 *)(r10 - 32) = r1
r1 = *(u64 *)(r6 + 32)
*(u64 *)(r10 - 24) = r1
r8 = *(u8 *)(r6 + 14)
r2 = r10
r2 += -16
r1 = map[m] ll
if r8 == 1 goto update
if r8 == 2 goto delete
call 1
if r0 == 0 goto out
r0 = *(u8 *)(r0 + 0)
r0 |= 256
exit
update:
r3 = r10
r3 += -32
r4 = *(u8 *)(r6 + 15)
if r4 != 255 goto call_update
r4 = -1
call_update:
call 2
exit
delete:
call 3
out:
exit
"""


def collections(spec):
    functions = {"main": FunctionSpec("main", "xdp", assemble(PROGRAM))}
    object_ = ObjectSpec(functions, {"m": spec}, license="GPL")
    return [
        kernel.load(object_)
        for kernel in (UserspaceKernel("jit"), UserspaceKernel("interpreter"), LinuxKernel())
    ]


def contents(loaded, spec):
    """The elements; of a per-CPU map only CPU-independent sums of the slots."""
    items = loaded.maps["m"].lookup_batch()
    if not spec.type.value.per_cpu:
        return sorted(items)
    width = (spec.value_size + 7) // 8 * 8
    return sorted(
        (
            key,
            sum(
                int.from_bytes(value[at : at + width], "little")
                for at in range(0, len(value), width)
            ),
        )
        for key, value in items
    )


@pytest.mark.linux
@pytest.mark.parametrize(
    ("kind", "key_size", "value_size"),
    [
        (MapType.HASH, 8, 16),
        (MapType.HASH, 4, 4),
        (MapType.HASH, 3, 5),
        (MapType.HASH, 1, 1),
        (MapType.HASH, 6, 12),
        (MapType.ARRAY, 4, 8),
        (MapType.ARRAY, 4, 3),
    ],
)
def test_results_are_linux_results(kind, key_size, value_size):
    compare(MapSpec("m", kind, key_size, value_size, 6), steps=300)


@pytest.mark.linux
@pytest.mark.parametrize("kind", [MapType.PERCPU_HASH, MapType.PERCPU_ARRAY])
def test_per_cpu_results_are_linux_results(kind):
    # On one CPU, since Linux's value is the one of the CPU that we happen to run on.
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    try:
        compare(MapSpec("m", kind, 4, 8, 6), steps=300)
    finally:
        os.sched_setaffinity(0, before)


def compare(spec, steps):
    rng = random.Random(spec.key_size * 31 + spec.value_size)
    keys = [bytes([n]) + rng.randbytes(7) * (spec.type is MapType.HASH) for n in range(9)]
    keys = [key.ljust(8, b"\0") for key in keys]
    every = collections(spec)
    seen = set()
    try:
        for step in range(steps):
            operation = rng.choice([0, 1, 1, 2])
            flags = rng.choice([0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 255])
            frame = bytes(14) + bytes([operation, flags]) + rng.choice(keys) + rng.randbytes(16)
            results = [loaded.programs["main"].test_run(frame).retval for loaded in every]
            assert results[0] == results[1] == results[2], (step, frame)
            seen.add(results[0])
        ours, interpreted, linux = (contents(loaded, spec) for loaded in every)
        assert ours == interpreted == linux
    finally:
        for loaded in every:
            loaded.close()
    failures = {(1 << 32) - errno for errno in (7, 17, 22)}
    assert failures <= seen
