"""Maps and programs put in and taken out while a program runs in another thread."""

import threading

import pytest

from beebox.maps.view import LiveMap
from beebox.obj.assembly import read_assembly
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
