"""Replay: each frame gets what a test run gives it, in both engines and in Linux."""

import random

import numpy as np
import pytest

from beebox.errors import InputError, MapError, NotSupportedError, RejectedError
from beebox.isa.assembler import assemble
from beebox.linux.kernel import LinuxKernel
from beebox.obj.model import FunctionSpec, MapSpec, ObjectSpec
from beebox.tables.map_types import MapType
from beebox.tables.program_types import XdpAction
from beebox.userspace.captures import encode_capture, parse_capture
from beebox.userspace.kernel import UserspaceKernel
from beebox.userspace.replay import CHUNK_PACKETS, replay

# Counts frames by their first byte, writes into them, moves both ends; the verdict is data's.
PROGRAM = """
r6 = r1
r7 = *(u32 *)(r6 + 0)
r8 = *(u32 *)(r6 + 4)
r0 = 0
r1 = r7
r1 += 14
if r1 > r8 goto out
r9 = *(u8 *)(r7 + 0)
r1 = *(u8 *)(r7 + 13)
*(u8 *)(r7 + 0) = r1
r2 = r9
r2 &= 31
*(u32 *)(r10 - 4) = r2
*(u64 *)(r10 - 16) = 1
r1 = map[counts] ll
r2 = r10
r2 += -4
call 1
if r0 == 0 goto new
r1 = 1
lock *(u64 *)(r0 + 0) += r1
goto move
new:
r1 = map[counts] ll
r2 = r10
r2 += -4
r3 = r10
r3 += -16
r4 = 0
call 2
move:
r1 = r6
r2 = -8
call 44
r1 = r6
r2 = r9
call 65
r0 = r9
r0 %= 5
out:
exit
"""


def object_of(text, maps=None):
    functions = {"main": FunctionSpec("main", "xdp", assemble(text))}
    return ObjectSpec(functions, maps or {}, license="GPL")


COUNTING = object_of(PROGRAM, {"counts": MapSpec("counts", MapType.HASH, 4, 8, 20)})


def frames(count, sizes, seed=1):
    rng = random.Random(seed)
    return [(n * 1000, rng.randbytes(rng.choice(sizes))) for n in range(count)]


def replayed(engine, spec, packets, **options):
    with UserspaceKernel(engine).load(spec) as loaded:
        result = replay(loaded.programs["main"], parse_capture(encode_capture(packets)), **options)
        return result, {name: sorted(live.items()) for name, live in loaded.maps.items()}


@pytest.mark.linux
def test_replay_is_linux_test_run_frame_by_frame():
    packets = frames(400, [14, 15, 20, 60, 64, 300, 1514, 3519, 3520])
    results = [replayed(engine, COUNTING, packets) for engine in ("jit", "interpreter")]
    with LinuxKernel().load(COUNTING) as loaded:
        program = loaded.programs["main"]
        verdicts = [program.test_run(frame).retval for _, frame in packets]
        counts = {"counts": sorted(loaded.maps["counts"].items())}
    for result, maps in results:
        assert result.retvals.tolist() == verdicts
        assert maps == counts
    named = {XdpAction(value).name: verdicts.count(value) for value in sorted(set(verdicts))}
    assert results[0][0].verdicts == named
    assert len(named) == 5


@pytest.mark.parametrize("engine", ["jit", "interpreter"])
def test_a_replay_equals_single_test_runs(engine):
    packets = frames(100, [14, 60, 900, 3520, 5000])
    result, maps = replayed(engine, COUNTING, packets)
    with UserspaceKernel(engine).load(COUNTING) as loaded:
        runs = [loaded.programs["main"].test_run(frame).retval for _, frame in packets]
        assert result.retvals.tolist() == runs
        assert maps["counts"] == sorted(loaded.maps["counts"].items())


@pytest.mark.parametrize("engine", ["jit", "interpreter"])
def test_the_capture_is_never_modified(engine):
    capture = parse_capture(encode_capture(frames(50, [60, 200])))
    before = capture.data.tobytes()
    with UserspaceKernel(engine).load(COUNTING) as loaded:
        replay(loaded.programs["main"], capture)
    assert capture.data.tobytes() == before


@pytest.mark.parametrize("engine", ["jit", "interpreter"])
def test_short_frames_never_reach_the_program(engine):
    packets = [(0, b""), (1, bytes(13)), (2, b"\2" + bytes(13)), (3, bytes(60)), (4, bytes(1))]
    result, _ = replayed(engine, object_of("r0 = 2\nexit"), packets)
    assert (result.packets, result.refused, result.verdicts) == (5, 3, {"PASS": 2})
    assert result.ran.tolist() == [False, False, True, True, False]
    assert result.bytes == 0 + 13 + 14 + 60 + 1


@pytest.mark.parametrize("engine", ["jit", "interpreter"])
def test_the_clock_is_the_capture_clock(engine):
    packets = [(n * 7_000_000_000 + 5, bytes(20)) for n in range(1, 60)]
    result, _ = replayed(engine, object_of("call 5\nexit"), packets)
    assert result.retvals.tolist() == [time & 0xFFFF_FFFF for time, _ in packets]


@pytest.mark.parametrize("engine", ["jit", "interpreter"])
def test_progress_ends_at_the_number_of_packets(engine):
    seen = []
    count = CHUNK_PACKETS["interpreter"] * 2 + 3
    packets = [(0, b""), *frames(count, [20])]
    replayed(engine, object_of("r0 = 1\nexit"), packets, progress=seen.append)
    assert seen[-1] == count + 1
    assert len(seen) == (3 if engine == "interpreter" else 1)


def test_an_empty_capture_replays_to_nothing():
    result, _ = replayed("jit", object_of("r0 = 1\nexit"), [])
    assert (result.packets, result.verdicts, result.ns_per_packet) == (0, {}, 0)


def test_unknown_verdicts_are_shown_as_numbers():
    result, _ = replayed("jit", object_of("r0 = 77\nexit"), frames(3, [20]))
    assert result.verdicts == {"UNKNOWN_77": 3}


def test_unsafe_programs_do_not_load():
    with pytest.raises(RejectedError):
        UserspaceKernel().load(object_of("r0 = *(u64 *)(r2 + 0)\nexit"))


def test_impossible_maps_do_not_load():
    spec = object_of("r0 = 1\nexit", {"m": MapSpec("m", MapType.HASH, 4, 0, 1)})
    with pytest.raises(MapError):
        UserspaceKernel().load(spec)


def test_misuse_is_an_input_error():
    with pytest.raises(InputError):
        UserspaceKernel("quantum")
    with pytest.raises(InputError):
        UserspaceKernel(cpus=0)
    loaded = UserspaceKernel().load(object_of("r0 = 1\nexit"))
    program = loaded.programs["main"]
    for frame, repeat in ((bytes(13), 1), (bytes(73_153), 1), (bytes(60), 0)):
        with pytest.raises(InputError):
            program.test_run(frame, repeat=repeat)
    loaded.close()
    loaded.close()
    with pytest.raises(InputError):
        program.test_run(bytes(60))


def test_a_closed_map_leaves_the_program_its_storage():
    with UserspaceKernel().load(COUNTING) as loaded:
        loaded.maps["counts"].close()
        runs = [loaded.programs["main"].test_run(bytes(60)).retval for _ in range(100)]
        assert runs == [0] * 100


@pytest.mark.parametrize("section", ["xdp/devmap", "xdp/cpumap"])
def test_programs_for_other_attach_points_are_not_admitted(section):
    function = FunctionSpec("main", section, assemble("r0 = 2\nexit"))
    with pytest.raises(NotSupportedError):
        UserspaceKernel().load(ObjectSpec({"main": function}, license="GPL"))


def test_per_cpu_maps_show_every_possible_cpu():
    text = PROGRAM.replace("lock ", "").replace("*(u64 *)(r0 + 0) += r1", "*(u64 *)(r0 + 0) = 9")
    spec = object_of(text, {"counts": MapSpec("counts", MapType.PERCPU_HASH, 4, 8, 20)})
    for engine in ("jit", "interpreter"):
        with UserspaceKernel(engine, cpus=3).load(spec) as loaded:
            loaded.programs["main"].test_run(bytes(60), repeat=1)
            ((_, value),) = loaded.maps["counts"].items()
            assert np.frombuffer(value, dtype=np.uint64).tolist() == [1, 0, 0]
