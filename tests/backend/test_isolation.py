"""What a program reaches in userspace is its own: its CPU's values, its copy of a packet."""

from __future__ import annotations

import errno
import gc
import struct
import weakref

import pytest

from beebox.errors import InputError, MapError, RejectedError
from beebox.maps.view import LiveMap
from beebox.obj.assembly.source import read_assembly
from beebox.obj.model import MapSpec
from beebox.tables.map_types import MapType
from beebox.userspace.kernel import UserspaceKernel
from beebox.userspace.packets import check_packets
from beebox.vm.observe import Observe

BY_CPU = """
.license "GPL"
.map values array key=4 value={bytes} max_entries=1
.section "xdp"
prog:
  call 8
  r6 = r0
  *(u32 *)(r10 - 4) = 0
  r2 = r10
  r2 += -4
  r1 = map[values] ll
  call 1
  if r0 == 0 goto out
  r6 *= 8
  r0 += r6
  *(u64 *)(r0 + 0) = 1
out:
  r0 = 2
  exit
"""
CHAIN = """
.license "GPL"
.map next prog_array key=4 value=4 max_entries=1
.map counts percpu_array key=4 value=8 max_entries=1
.section "xdp"
prog:
  r2 = map[next] ll
  r3 = 0
  call 12
  *(u32 *)(r10 - 4) = 0
  r2 = r10
  r2 += -4
  r1 = map[counts] ll
  call 1
  r0 = 2
  exit
"""
MARK = """
.section "tc"
prog:
  call 97
  exit
"""
MIXED = """
.license "GPL"
.map values array key=4 value=16 max_entries=1
.section "xdp"
prog:
  r6 = *(u32 *)(r1 + 0)
  r7 = *(u32 *)(r1 + 4)
  *(u32 *)(r10 - 4) = 0
  r2 = r10
  r2 += -4
  r1 = map[values] ll
  call 1
  if r0 == 0 goto out
  r2 = r6
  r2 += 20
  if r2 > r7 goto other
  r0 = r6
other:
  *(u8 *)(r0 + 1) = 77
out:
  r0 = 2
  exit
"""
STORE = """
.section "xdp"
prog:
  *(u64 *)(r10 - 8) = 1
  r2 = 20
  r3 = r10
  r3 += -8
  r4 = 8
  call 190
  exit
"""
PARSE = """
.license "GPL"
.section "tc"
prog:
  *(u64 *)(r10 - 16) = 0x31
  r1 = r10
  r1 += -16
  r2 = 2
  r3 = 0
  r4 = r10
  r4 += -8
  r5 = 0x7fffffff
  call 105
  r0 = *(u64 *)(r10 - 8)
  exit
"""
GROW = """
.license "GPL"
.section "xdp.frags"
prog:
  r2 = 4095
  call 65
  exit
"""
PUSH_AND_POP = """
.license "GPL"
.section "tc"
prog:
  r6 = r1
  r7 = *(u32 *)(r1 + 8)
  r7 += 1
  *(u32 *)(r1 + 8) = r7
  if r7 > 70000 goto pop
  if r7 != 1 goto push
  r2 = 14
  r3 = 0
  call 38
  r1 = r6
push:
  r2 = 0x0081
  r3 = 1
  call 18
  exit
pop:
  call 19
  if r7 < 140010 goto out
  r1 = r6
  r2 = 2000
  r3 = 0
  r4 = 0
  call 50
  exit
out:
  r0 = *(u32 *)(r6 + 0)
  exit
"""
HASH = """
.section "tc"
prog:
  call 34
  exit
"""
KEY_IN_VICTIM = """
.license "GPL"
.map lru lru_hash key=4 value=8 max_entries=1
.section "xdp"
prog:
  *(u32 *)(r10 - 4) = 1
  *(u64 *)(r10 - 16) = 2
  r2 = r10
  r2 += -4
  r3 = r10
  r3 += -16
  r4 = 0
  r1 = map[lru] ll
  call 2
  r2 = r10
  r2 += -4
  r1 = map[lru] ll
  call 1
  if r0 == 0 goto out
  *(u64 *)(r10 - 16) = 777
  r2 = r0
  r3 = r10
  r3 += -16
  r4 = 0
  r1 = map[lru] ll
  call 2
out:
  r0 = 2
  exit
"""
IP = bytes(12) + b"\x08\x00" + b"\x45\x01\x00\x28" + bytes(36)


def test_the_cpu_is_bounded_by_the_kernel_that_runs_the_program():
    small, large = (read_assembly(BY_CPU.format(bytes=size)) for size in (16 * 8, 1024 * 8))
    with UserspaceKernel(cpus=1024).load(large), pytest.raises(RejectedError):
        UserspaceKernel(cpus=1024).load(small)


def test_a_kernel_has_so_many_cpus():
    with pytest.raises(InputError):
        UserspaceKernel(cpus=1 << 40)


def test_per_cpu_values_of_fewer_cpus_are_kept_out():
    spec = read_assembly(CHAIN)
    inner = MapSpec("inner", MapType.PERCPU_ARRAY, 4, 8, 1)
    outer = MapSpec("outer", MapType.ARRAY_OF_MAPS, 4, 4, 1, inner=inner)
    with UserspaceKernel(cpus=4).load(spec) as many, UserspaceKernel().load(spec) as one:
        with pytest.raises(MapError):
            many.maps["next"].update(bytes(4), one.programs["prog"])
        many.maps["next"].update(bytes(4), many.programs["prog"])
    with LiveMap(outer, cpus=4) as holder, LiveMap(inner) as held, pytest.raises(InputError):
        holder.update(bytes(4), held)


@pytest.mark.parametrize("text", [MARK, STORE, MIXED])
def test_packets_are_the_callers(text):
    frame = bytes(bytearray(IP))
    with UserspaceKernel().load(read_assembly(text)) as loaded:
        program = loaded.programs["prog"]
        program(frame)
        program(frame)
        program.run_batch(frame, [0], [len(frame)])
        assert program.test_run(frame).data_out != IP
    assert frame == IP


def test_an_argument_behind_memory_of_fixed_size_is_no_size():
    with UserspaceKernel().load(read_assembly(PARSE)) as loaded:
        assert loaded.programs["prog"].test_run(IP).retval == 1


def test_pages_have_room_to_grow_where_packets_are_kept():
    with UserspaceKernel().load(read_assembly(GROW)) as loaded:
        program = loaded.programs["prog"]
        longest = 3521
        stride = program.slot_bytes(longest)
        left = program.room_for(1, stride)
        packets = check_packets(bytes(longest), [0], [longest], None, program.hook)
        program.run_packets(packets, left=left)
        assert left.headroom + int(left.lengths[0]) == 256 + 3520 + 4096 <= stride


def test_a_frame_has_17_pages_behind_its_linear_part():
    context = struct.pack("<6I", 0, 14, 0, 0, 0, 0)
    with UserspaceKernel().load(read_assembly(GROW)) as loaded, pytest.raises(InputError):
        loaded.programs["prog"].test_run(bytes(3520 + 17 * 4096), context=context)


def test_room_behind_a_header_that_ends_outside_the_buffer():
    with UserspaceKernel().load(read_assembly(PUSH_AND_POP)) as loaded:
        program = loaded.programs["prog"]
        assert program.test_run(IP, repeat=140_009).retval == 14  # now at the buffer's end
        assert program.test_run(IP, repeat=140_010).retval == (1 << 32) - errno.ENOMEM


def test_a_hash_is_of_what_is_linear():
    with UserspaceKernel(linear_bytes=0).load(read_assembly(HASH)) as loaded:
        program = loaded.programs["prog"]
        block = IP[:14] + b"\1" * 50
        assert program.run_batch(block, [0], [14]) == program.run_batch(IP, [0], [14])


def test_what_a_callee_writes_down_lives_as_long_as_it_may_be_called():
    spec = read_assembly(CHAIN)
    with UserspaceKernel(observe=Observe.COSTS).load(spec) as caller:
        other = UserspaceKernel(observe=Observe.COSTS).load(spec)
        caller.maps["next"].update(bytes(4), other.programs["prog"])
        seen = weakref.ref(other.programs["prog"].observation)
        del other
        gc.collect()
        assert seen() is not None


def test_frames_have_a_length_that_the_hook_takes():
    with UserspaceKernel().load(read_assembly(HASH)) as loaded, pytest.raises(InputError):
        loaded.programs["prog"].run_at(bytes(13), 0)


def test_a_key_inside_the_value_that_its_update_overwrites():
    with UserspaceKernel().load(read_assembly(KEY_IN_VICTIM)) as loaded:
        for _ in range(3):
            assert loaded.programs["prog"].test_run(IP).retval == 2
        assert list(loaded.maps["lru"].items()) == [
            ((2).to_bytes(4, "little"), (777).to_bytes(8, "little"))
        ]
