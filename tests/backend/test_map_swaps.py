"""Maps and programs put in and taken out while a program runs in another thread."""

import random
import threading

import pytest

from beebox.maps.view import LiveMap
from beebox.obj.assembly.source import read_assembly
from beebox.obj.model import MapSpec
from beebox.tables.map_types import MapType
from beebox.userspace.kernel import UserspaceKernel

SOURCE = """
.license "GPL"
.map outer {outer} max_entries=1
.inner outer hash key=4 value=8 max_entries=4
.map counts array value=8 max_entries=4
.map jumps prog_array max_entries=1
.section "xdp"
main:
    r6 = r1
    r7 = 0
    *(u32 *)(r10 - 4) = 0
    r1 = map[outer] ll
    r2 = r10
    r2 += -4
    call 1
    if r0 == 0 goto counted
    r1 = r0
    r2 = r10
    r2 += -4
    call 1
    r7 = 3
    if r0 == 0 goto counted
    r1 = *(u64 *)(r0 + 0)
    if r1 > 2 goto counted
    if r1 == 0 goto counted
    r7 = r1
counted:
    *(u32 *)(r10 - 4) = r7
    r1 = map[counts] ll
    r2 = r10
    r2 += -4
    call 1
    if r0 == 0 goto out
    r1 = *(u64 *)(r0 + 0)
    r1 += 1
    *(u64 *)(r0 + 0) = r1
    r1 = r6
    r2 = map[jumps] ll
    r3 = 0
    call 12
out:
    r0 = 5
    exit
first:
    r0 = 6
    exit
second:
    r0 = 7
    exit
"""
REPEAT, SWAPS = 2000, 60


@pytest.mark.slow
@pytest.mark.parametrize("outer", ["array_of_maps", "hash_of_maps key=4"])
def test_a_program_sees_what_is_there_or_was(outer):
    source = SOURCE.format(outer=outer).replace("first:", ".globl first\n.globl second\nfirst:")
    results: list[int] = []
    done = threading.Event()
    with UserspaceKernel(cpus=2).load(read_assembly(source)) as loaded:
        program, holder = loaded.programs["main"], loaded.maps["outer"]

        def run():
            while not done.is_set() or not results:
                results.append(program.test_run(bytes(64), repeat=REPEAT).retval)

        thread = threading.Thread(target=run)
        thread.start()
        for swaps in range(SWAPS):
            made = LiveMap(MapSpec("i", MapType.HASH, 4, 8, 2 + swaps % 3))
            made.update(bytes(4), (1 + swaps % 2).to_bytes(8, "little"))
            holder.update(bytes(4), made)
            made.close()
            loaded.maps["jumps"].update(bytes(4), loaded.programs[("first", "second")[swaps % 2]])
            if swaps % 3 == 0:
                holder.delete(bytes(4))
                loaded.maps["jumps"].delete(bytes(4))
        done.set()
        thread.join()
        counts = [int.from_bytes(value, "little") for _, value in loaded.maps["counts"].items()]
    assert sum(counts) == REPEAT * len(results)
    assert counts[3] == 0
    assert set(results) <= {5, 6, 7}


# Random addresses of 10.0.0.0/8, looked up 16 in a run. A value holds its prefix and its mask, as
# the machine reads them: counts[1] are answers that cover the address, others are wrong.
ROUTES = """
.license "GPL"
.map routes lpm_trie key=8 value=8 max_entries=4096 flags=1
.map counts array value=8 max_entries=3
.map state array value=8 max_entries=1
.section "xdp"
main:
    *(u32 *)(r10 - 4) = 0
    r1 = map[state] ll
    r2 = r10
    r2 += -4
    call 1
    if r0 == 0 goto out
    r6 = r0
    r7 = *(u64 *)(r6 + 0)
    r8 = 0
again:
    r1 = 6364136223846793005 ll
    r7 *= r1
    r1 = 1442695040888963407 ll
    r7 += r1
    r9 = r7
    r9 >>= 40
    r9 &= 0x1f0f03
    r9 <<= 8
    r9 |= 10
    *(u32 *)(r10 - 16) = 32
    *(u32 *)(r10 - 12) = r9
    r1 = map[routes] ll
    r2 = r10
    r2 += -16
    call 1
    r1 = 0
    if r0 == 0 goto count
    r2 = *(u32 *)(r0 + 0)
    r3 = *(u32 *)(r0 + 4)
    r9 &= r3
    r1 = 1
    if r9 == r2 goto count
    r1 = 2
count:
    *(u32 *)(r10 - 4) = r1
    r1 = map[counts] ll
    r2 = r10
    r2 += -4
    call 1
    if r0 == 0 goto out
    r1 = *(u64 *)(r0 + 0)
    r1 += 1
    *(u64 *)(r0 + 0) = r1
    r8 += 1
    if r8 < 16 goto again
    *(u64 *)(r6 + 0) = r7
out:
    r0 = 2
    exit
"""


def route(address: int, length: int) -> tuple[bytes, bytes]:
    mask = (1 << 32) - (1 << 32 - length)
    packed = (address & mask).to_bytes(4, "big")
    return length.to_bytes(4, "little") + packed, packed + mask.to_bytes(4, "big")


@pytest.mark.slow
def test_a_lookup_gives_a_prefix_that_covers_the_address_at_any_moment():
    source = random.Random(3)
    routes = [
        route(
            10 << 24 | source.getrandbits(2) << 16 | source.getrandbits(4) << 8
            | source.getrandbits(5),
            source.randrange(9, 33),
        )
        for _ in range(2000)
    ]  # fmt: skip
    done = threading.Event()
    runs: list[int] = []
    with UserspaceKernel(cpus=2).load(read_assembly(ROUTES)) as loaded:
        table = loaded.maps["routes"]
        table.update(*route(10 << 24, 8))

        def run():
            while not done.is_set() or not runs:
                runs.append(loaded.programs["main"].test_run(bytes(64), repeat=200).retval)

        thread = threading.Thread(target=run)
        thread.start()
        for _ in range(15):
            chosen = dict(source.sample(routes, 500))
            table.update_batch(list(chosen.items()))
            for key in chosen:
                table.delete(key)
        done.set()
        thread.join()
        counts = [int.from_bytes(value, "little") for _, value in loaded.maps["counts"].items()]
        assert sum(counts) == 16 * 200 * len(runs)
        assert counts[0] == 0
        # A thread that stands still before it reads may find the element's next value.
        assert counts[2] <= counts[1] // 1000
        assert len(table) == 1
