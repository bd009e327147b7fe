"""Programs called from Python: one packet, a buffer of them, from several threads at once."""

from __future__ import annotations

import gc
import sys
import threading
import weakref
from itertools import pairwise

import numpy as np
import pytest

from beebox.errors import InputError
from beebox.isa.assembler import assemble
from beebox.obj.model import FunctionSpec, MapSpec, ObjectSpec
from beebox.tables.map_types import MapType
from beebox.userspace.captures import encode_capture, parse_capture
from beebox.userspace.kernel import UserspaceKernel
from beebox.userspace.program import UserspaceProgram
from beebox.userspace.replay import replay
from beebox.vm.observe import Observe

HEAD = """
r2 = *(u32 *)(r1 + 0)
r3 = *(u32 *)(r1 + 4)
r4 = r2
r4 += 14
r0 = 1
if r4 > r3 goto out
"""
READ = HEAD + "r0 = *(u16 *)(r2 + 12)\nout:\nexit"
WRITE = HEAD + "r0 = *(u8 *)(r2 + 0)\n*(u8 *)(r2 + 0) = 77\nout:\nexit"
LENGTH = "r0 = *(u32 *)(r1 + 4)\nr2 = *(u32 *)(r1 + 0)\nr0 -= r2\nexit"
CLOCK = "call 5\nexit"
CPU = "call 8\nexit"
NEGATIVE = "r0 = -1\nexit"
COUNT = """
*(u32 *)(r10 - 4) = 0
r2 = r10
r2 += -4
r1 = map[{map}] ll
call 1
if r0 == 0 goto out
{count}
out:
r0 = 2
exit
"""
ATOMIC = "r1 = 1\nlock *(u64 *)(r0 + 0) += r1"
COMPARE_AND_SWAP = """
r6 = r0
again:
may_goto out
r0 = *(u64 *)(r6 + 0)
r7 = r0
r1 = r0
r1 += 1
r0 = cmpxchg_64(r6 + 0, r0, r1)
if r0 != r7 goto again
"""
FETCH_32 = "r1 = 1\nw1 = atomic_fetch_add((u32 *)(r0 + 0), w1)"
PLAIN = "r1 = *(u64 *)(r0 + 0)\nr1 += 1\n*(u64 *)(r0 + 0) = r1"
INSERT = """
r6 = *(u32 *)(r1 + 0)
r7 = *(u32 *)(r1 + 4)
r2 = r6
r2 += 18
r0 = 1
if r2 > r7 goto out
r1 = *(u32 *)(r6 + 14)
*(u32 *)(r10 - 4) = r1
*(u64 *)(r10 - 16) = 7
r2 = r10
r2 += -4
r3 = r10
r3 += -16
r4 = 0
r1 = map[table] ll
call 2
out:
exit
"""
MAPS = {
    "one": MapSpec("one", MapType.ARRAY, 4, 8, 1),
    "each": MapSpec("each", MapType.PERCPU_ARRAY, 4, 8, 1),
    "table": MapSpec("table", MapType.HASH, 4, 8, 4096),
}
FRAME = b"\x09" * 60


def load(text: str, engine: str = "jit", *, section: str = "xdp", cpus: int = 1):
    function = FunctionSpec("main", section, assemble(text))
    spec = ObjectSpec({"main": function}, MAPS, license="GPL")
    return UserspaceKernel(engine, cpus=cpus).load(spec)


ENGINES = pytest.mark.parametrize("engine", ["jit", "interpreter"])


@ENGINES
@pytest.mark.parametrize(("text", "verdict"), [(READ, 0x0909), (WRITE, 9), (LENGTH, 60)])
def test_a_call_gives_the_return_value(engine, text, verdict):
    with load(text, engine) as loaded:
        program = loaded.programs["main"]
        packet = bytes(FRAME)
        assert [program(packet) for _ in range(4)] == [verdict] * 4
        assert packet == FRAME
        assert list(map(program, [packet] * 3)) == [verdict] * 3
        assert program(bytearray(packet)) == program(memoryview(packet)) == verdict
        assert program.test_run(packet).retval == verdict


@ENGINES
def test_return_values_are_32_bits(engine):
    with load(NEGATIVE, engine) as loaded:
        program = loaded.programs["main"]
        assert [program(FRAME) for _ in range(3)] == [0xFFFF_FFFF] * 3


@ENGINES
def test_long_frames_show_their_first_page(engine):
    with load(LENGTH, engine) as loaded:
        program = loaded.programs["main"]
        for size in (14, 3520, 3521, 9000):
            assert [program(bytes(size)) for _ in range(2)] == [min(size, 3520)] * 2


@ENGINES
def test_what_is_no_packet_is_refused(engine):
    with load(READ, engine) as loaded:
        program = loaded.programs["main"]
        for _ in range(2):  # the quick way, too, once there is one
            for wrong in ("text", 5, None, [1]):
                with pytest.raises(TypeError):
                    program(wrong)
            for size in (0, 13, program.hook.max_bytes + 1):
                with pytest.raises(InputError, match=f"{size} bytes"):
                    program(bytes(size))
            with pytest.raises(TypeError):
                program()
            with pytest.raises(TypeError):
                program(FRAME, FRAME)
            with pytest.raises(TypeError):
                program(packet=FRAME)
            program(FRAME)


@ENGINES
def test_a_closed_program_is_not_called(engine):
    with load(READ, engine) as loaded:
        program = loaded.programs["main"]
        assert program(FRAME) == program(FRAME) == 0x0909
    with pytest.raises(InputError, match="closed"):
        program(FRAME)
    with pytest.raises(InputError, match="closed"):
        program.run_batch(FRAME, [0], [60])
    with pytest.raises(InputError, match="closed"):
        program.test_run(FRAME)


def test_programs_are_collected():
    loaded = load(READ)
    program = loaded.programs["main"]
    assert program(FRAME) == program(FRAME)
    gone = weakref.ref(program)
    loaded.close()
    del program, loaded
    gc.collect()
    assert gone() is None


@ENGINES
def test_the_clock_goes_on(engine):
    with load(CLOCK, engine) as loaded:
        program = loaded.programs["main"]
        times = [program(FRAME) for _ in range(50)]
        assert len(set(times)) > 40
        assert all((b - a) % (1 << 32) < 10**9 for a, b in pairwise(times))


def test_skb_programs_are_called_too():
    text = "r0 = *(u32 *)(r1 + 0)\nr2 = *(u32 *)(r1 + 8)\nr0 += r2\nexit"  # len + mark
    with load(text, section="tc") as loaded:
        program = loaded.programs["main"]
        assert [program(bytes(size)) for size in (14, 60, 60, 1500)] == [14, 60, 60, 1500]
    with load(text, section="socket") as loaded:
        program = loaded.programs["main"]
        assert [program(bytes(size)) for size in (34, 60, 60)] == [20, 46, 46]


def test_observed_programs_are_called_too():
    function = FunctionSpec("main", "xdp", assemble(READ))
    spec = ObjectSpec({"main": function}, {}, license="GPL")
    with UserspaceKernel(observe=Observe.COSTS, cpus=2).load(spec) as loaded:
        program = loaded.programs["main"]
        assert [program(FRAME) for _ in range(3)] == [0x0909] * 3
        assert program.observation is not None
        assert program.observation.costs.tolist() == [8] * 3


# ---- batches


@ENGINES
@pytest.mark.parametrize(("text", "verdicts"), [(READ, [0x0101, 0x0303]), (WRITE, [1, 3])])
@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview, np.array])
def test_a_batch(engine, text, verdicts, kind):
    content = b"\x01" * 20 + b"\x02" * 7 + b"\x03" * 100
    buffer = np.frombuffer(content, dtype=np.uint8).copy() if kind is np.array else kind(content)
    with load(text, engine) as loaded:
        program = loaded.programs["main"]
        for offsets in ([0, 27], np.array([0, 27]), np.array([0, 27], dtype=np.uint16)):
            got = program.run_batch(buffer, offsets, np.array([20, 100], dtype=np.int64))
            assert got.dtype == np.uint32
            assert got.tolist() == verdicts
        assert bytes(buffer) == content
        assert program.run_batch(buffer, [], []).tolist() == []
        assert program.run_batch(b"", [], []).tolist() == []


@ENGINES
def test_a_batch_with_times(engine):
    with load(CLOCK, engine) as loaded:
        program = loaded.programs["main"]
        assert program.run_batch(FRAME, [0, 0], [60, 60], [11, 22]).tolist() == [11, 22]
        first, second = program.run_batch(FRAME, [0, 0], [60, 60]).tolist()
        assert first == second


@pytest.mark.parametrize(
    ("offsets", "lengths", "words"),
    [
        ([0, 41], [20, 20], "packet 1: 20 bytes at 41 of a buffer of 60"),
        ([61], [14], "packet 0: 14 bytes at 61"),
        ([2**64 - 1], [14], "packet 0"),
        ([2**64 - 20], [40], "packet 0"),
        ([0], [13], "packet 0: a frame of 13 bytes"),
        ([0, 0], [20, 2**32 - 1], "packet 1: a frame of 4294967295"),
        ([0], [2**32], "lengths: 4294967296"),
        ([-1], [14], "offsets: -1"),
        ([0.5], [14], "offsets: of type float64"),
        ([0, 1], [14], "2 offsets and 1 lengths"),
        ([[0]], [14], "offsets: an array of 2 dimensions"),
        (["a"], [14], "offsets: of type"),
    ],
)
def test_packets_outside_the_buffer_are_refused(offsets, lengths, words):
    with load(READ) as loaded:
        program = loaded.programs["main"]
        with pytest.raises(InputError, match=words):
            program.run_batch(FRAME, offsets, lengths)
        assert program.run_batch(FRAME, [0, 46], [60, 14]).tolist() == [0x0909, 0x0909]


def test_buffers_that_are_not_contiguous_are_refused():
    with load(READ) as loaded:
        program = loaded.programs["main"]
        every_other = np.zeros(200, dtype=np.uint8)[::2]
        with pytest.raises(InputError, match="contiguous"):
            program.run_batch(every_other, [0], [14])
        with pytest.raises(TypeError):
            program.run_batch("text", [0], [14])
        with pytest.raises(InputError, match="2 offsets and 1 times_ns"):
            program.run_batch(FRAME, [0, 0], [14, 14], [1])


# ---- threads


def together(*workers) -> None:
    failures = []

    def guarded(worker):
        try:
            worker()
        except BaseException as error:
            failures.append(error)
            raise

    threads = [threading.Thread(target=guarded, args=(worker,)) for worker in workers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def all_ways(program, rounds: int):
    """Workers that run the program ``4 * rounds`` times in four ways, in one thread each."""
    many = np.zeros(rounds, dtype=np.uint64)
    sizes = np.full(rounds, 60, dtype=np.uint32)
    return (
        lambda: [program(FRAME) for _ in range(rounds)],
        lambda: [program.run_batch(FRAME, many[:100], sizes[:100]) for _ in range(rounds // 100)],
        lambda: [program.test_run(FRAME) for _ in range(rounds)],
        lambda: program.test_run(FRAME, repeat=rounds),
    )


@pytest.mark.parametrize(
    ("engine", "cpus", "rounds"), [("jit", 1, 10_000), ("jit", 3, 10_000), ("interpreter", 2, 300)]
)
@pytest.mark.parametrize("count", [ATOMIC, COMPARE_AND_SWAP, FETCH_32], ids=["add", "cas", "32"])
def test_atomic_counters_are_exact(engine, cpus, rounds, count):
    with load(COUNT.format(map="one", count=count), engine, cpus=cpus) as loaded:
        program = loaded.programs["main"]
        together(*all_ways(program, rounds), *all_ways(program, rounds))
        assert int.from_bytes(loaded.maps["one"].lookup(bytes(4)), "little") == 8 * rounds


@pytest.mark.parametrize(("name", "cpus"), [("one", 1), ("each", 1), ("each", 2), ("each", 5)])
def test_plain_counters_are_exact_where_no_two_runs_meet(name, cpus):
    """With one CPU no two runs are under way at once; with several, each has its own value."""
    with load(COUNT.format(map=name, count=PLAIN), cpus=cpus) as loaded:
        program = loaded.programs["main"]
        together(*all_ways(program, 20_000), *all_ways(program, 20_000))
        values = np.frombuffer(loaded.maps[name].lookup(bytes(4)), dtype=np.uint64)
        assert values.sum() == 160_000
        assert len(values) == (cpus if name == "each" else 1)


def test_replays_of_one_program_at_once_give_what_they_give_alone():
    capture = parse_capture(encode_capture((at, bytes([at % 256]) * 60) for at in range(5000)))
    with load(READ, cpus=2) as loaded:
        program = loaded.programs["main"]
        alone = replay(program, capture)
        found = []
        together(*[lambda: found.extend(replay(program, capture) for _ in range(5))] * 4)
        assert len(found) == 20
        assert all((one.retvals == alone.retvals).all() for one in found)
        assert {one.packets for one in found} == {5000}


def test_threads_insert_different_keys():
    frames = [b"".join(bytes(14) + (1000 * at + n).to_bytes(4, "little") for n in range(1000))
              for at in range(4)]  # fmt: skip
    offsets, lengths = np.arange(0, 18_000, 18), np.full(1000, 18)
    with load(INSERT, cpus=4) as loaded:
        program = loaded.programs["main"]

        def insert(data: bytes) -> None:
            for _ in range(20):
                assert not program.run_batch(data, offsets, lengths).any()

        together(*(lambda data=data: insert(data) for data in frames))
        found = {int.from_bytes(key, "little") for key, _ in loaded.maps["table"].items()}
        assert found == set(range(4000))


def test_a_run_takes_the_lowest_cpu_that_is_free():
    with load(CPU, cpus=3) as loaded:
        program = loaded.programs["main"]
        cpus = program._cpus
        ways = (
            lambda: program(FRAME),
            lambda: program.test_run(FRAME).retval,
            lambda: program.run_batch(FRAME, [0], [60])[0],
        )
        for way in ways:
            assert {int(way()) for _ in range(3)} == {0}
            with cpus.taken() as first:
                assert (first, way()) == (0, 1)
                with cpus.taken() as second:
                    assert (second, way()) == (1, 2)
                assert way() == 1
            assert way() == 0


@ENGINES
def test_runs_beyond_the_cpus_wait(engine):
    with load(CPU, engine) as loaded:
        program = loaded.programs["main"]
        assert [program(FRAME) for _ in range(2)] == [0, 0]
        done = []
        thread = threading.Thread(target=lambda: done.append(program(FRAME)))
        with program._cpus.taken():
            thread.start()
            thread.join(timeout=0.05)
            assert done == []
            with pytest.raises(InputError, match="a run inside a run"):
                program(FRAME)
        thread.join()
        assert done == [0]


def test_a_writing_programs_packets_do_not_mix():
    """Each thread's packets come back as its own; every run has a buffer to itself."""
    text = (
        HEAD
        + "r0 = *(u32 *)(r2 + 0)\n*(u32 *)(r2 + 0) = 0\nr5 = *(u32 *)(r2 + 4)\n"
        + ("r0 ^= r5\nout:\nexit")
    )
    with load(text, cpus=2) as loaded:
        program = loaded.programs["main"]

        def check(seed: int) -> None:
            source = np.random.default_rng(seed)
            words = source.integers(0, 1 << 32, (300, 4), dtype=np.uint32)
            expected = words[:, 0] ^ words[:, 1]
            offsets, lengths = np.arange(0, 4800, 16), np.full(300, 16)
            data = words.tobytes()
            for _ in range(100):
                assert (program.run_batch(data, offsets, lengths) == expected).all()
                assert program(data[:16]) == expected[0]
                run = program.test_run(data[16:32])
                assert (run.retval, run.data_out[:4]) == (expected[1], bytes(4))

        together(*(lambda seed=seed: check(seed) for seed in range(4)))


def test_calls_leak_no_references():
    packet, wrong = bytes(FRAME), "text" * 3
    with load(READ) as loaded:
        program = loaded.programs["main"]
        counts = []
        for _ in range(3):
            for _ in range(1000):
                program(packet)
                with pytest.raises(TypeError):
                    program(wrong)
                with pytest.raises(TypeError):
                    program(packet, wrong)
            gc.collect()
            kept = (packet, wrong, program, UserspaceProgram.__call__, int(program(packet)))
            counts.append([sys.getrefcount(one) for one in kept])
        assert counts[1] == counts[2]
