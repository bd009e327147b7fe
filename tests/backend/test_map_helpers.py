"""Map helpers of every type called by programs: Linux's results in both engines, errno by errno.

The frame says what to do: byte 14 the operation, 15 the flags, 16 a key, 32 a value.
"""

import os
import random
from contextlib import ExitStack, contextmanager
from dataclasses import replace

import pytest

from beebox.btf.builder import Builder
from beebox.btf.types import Linkage, Param
from beebox.errors import MapError, RejectedError, SyscallError
from beebox.linux.kernel import LinuxKernel
from beebox.linux.objects import possible_cpus
from beebox.obj.assembly.source import read_assembly
from beebox.obj.linker import link
from beebox.obj.model import MapSpec
from beebox.tables.map_types import MapFlags, MapType
from beebox.userspace.kernel import UserspaceKernel
from beebox.verifier.verify import verify

HEAD = """
.license "GPL"
{maps}
.section "xdp"
main:
    r6 = *(u32 *)(r1 + 0)
    r7 = *(u32 *)(r1 + 4)
    r9 = r1
    r0 = 0
    r1 = r6
    r1 += 64
    if r1 > r7 goto out
    r1 = *(u64 *)(r6 + 16)
    *(u64 *)(r10 - 24) = r1
    r1 = *(u64 *)(r6 + 24)
    *(u64 *)(r10 - 16) = r1
    r1 = *(u64 *)(r6 + 32)
    *(u64 *)(r10 - 48) = r1
    r1 = *(u64 *)(r6 + 40)
    *(u64 *)(r10 - 40) = r1
    *(u64 *)(r10 - 8) = 0
    r8 = *(u8 *)(r6 + 14)
"""
FLAGS_IN_R4 = """
    r4 = *(u8 *)(r6 + 15)
    if r4 != 255 goto flags
    r4 = -1
flags:
"""
TAIL = """
out:
    exit
"""


@contextmanager
def engines(source, *, cpus=1):
    """The object in both engines of ours and in Linux."""
    spec = read_assembly(source) if isinstance(source, str) else source
    with ExitStack() as stack:
        kernels = (
            UserspaceKernel("jit", cpus=cpus),
            UserspaceKernel("interpreter", cpus=cpus),
            LinuxKernel(),
        )
        yield [stack.enter_context(kernel.load(spec)) for kernel in kernels]


@contextmanager
def one_cpu():
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def frame(operation=0, flags=0, key=b"", value=b""):
    return (bytes(14) + bytes([operation, flags]) + key.ljust(16, b"\0") + value).ljust(64, b"\0")


def same(loaded, data, program="main"):
    results = [each.programs[program].test_run(data).retval for each in loaded]
    assert results[0] == results[1] == results[2], data
    return results[0]


QUEUE = (
    HEAD
    + """
    r1 = map[m] ll
    r2 = r10
    r2 += -48
    if r8 == 1 goto push
    if r8 == 2 goto pop
    call 89
    goto shown
pop:
    call 88
shown:
    if r0 != 0 goto out
    r0 = *(u8 *)(r10 - 48)
    r0 |= 256
    exit
push:
"""
    + FLAGS_IN_R4.replace("r4", "r3")
    + "    call 87\n"
    + TAIL
)


@pytest.mark.linux
@pytest.mark.parametrize("kind", ["queue", "stack"])
@pytest.mark.parametrize("value_size", [1, 8, 12])
def test_queues(kind, value_size):
    rng = random.Random(value_size)
    seen = set()
    source = QUEUE.format(maps=f".map m {kind} value={value_size} max_entries=3")
    with engines(source) as loaded:
        for _ in range(150):
            flags = rng.choice([0, 0, 0, 1, 2, 3, 4, 255])
            seen.add(same(loaded, frame(rng.randrange(3), flags, value=rng.randbytes(16))))
    assert {(1 << 32) - errno for errno in (2, 7, 22)} <= seen


@pytest.mark.linux
def test_bloom_filters():
    rng = random.Random(1)
    values = [rng.randbytes(16) for _ in range(4)]
    source = (
        HEAD
        + """
    r1 = map[m] ll
    r2 = r10
    r2 += -48
    if r8 == 1 goto push
    call 89
    exit
push:
"""
        + FLAGS_IN_R4.replace("r4", "r3")
        + "    call 87\n"
        + TAIL
    )
    with engines(source.format(maps=".map m bloom_filter value=16 max_entries=1000")) as loaded:
        for value in values:
            assert same(loaded, frame(0, value=value)) == (1 << 32) - 2
            assert same(loaded, frame(1, 4, value=value)) == (1 << 32) - 22
            assert same(loaded, frame(1, 0, value=value)) == 0
            assert same(loaded, frame(0, value=value)) == 0


KEYED = (
    HEAD
    + """
    r1 = map[m] ll
    r2 = r10
    r2 += -24
    if r8 == 1 goto update
    if r8 == 2 goto delete
    call 1
    if r0 == 0 goto out
    r0 = *(u8 *)(r0 + 0)
    r0 |= 256
    exit
update:
    r3 = r10
    r3 += -48
"""
    + FLAGS_IN_R4
    + """
    call 2
    exit
delete:
    call 3
"""
    + TAIL
)


def compare_keyed(spec, keys, steps):
    rng = random.Random(spec.key_size)
    flags = f" flags={int(spec.flags)}" if spec.flags else ""
    line = f".map m {spec.type.value.name} key={spec.key_size} value={spec.value_size}"
    source = KEYED.format(maps=f"{line} max_entries={spec.max_entries}{flags}")
    seen = set()
    with engines(source, cpus=possible_cpus()) as loaded, one_cpu():
        for _ in range(steps):
            given = rng.choice([0, 0, 0, 1, 2, 3, 4, 5, 6, 255])
            operation = rng.choice([0, 1, 1, 2])
            data = frame(operation, given, rng.choice(keys), rng.randbytes(16))
            seen.add(same(loaded, data))
    assert {(1 << 32) - errno for errno in (2, 17, 22)} <= seen


@pytest.mark.linux
@pytest.mark.parametrize("kind", [MapType.LRU_HASH, MapType.LRU_PERCPU_HASH])
@pytest.mark.parametrize("key_size", [4, 3, 12])
def test_lru_hashes(kind, key_size):
    rng = random.Random(key_size)
    keys = [rng.randbytes(key_size) for _ in range(9)]
    compare_keyed(MapSpec("m", kind, key_size, 16, 64), keys, 250)


@pytest.mark.linux
@pytest.mark.parametrize("kind", ["lru_hash", "lru_percpu_hash"])
def test_a_full_lru_keeps_what_is_used(kind):
    source = KEYED.format(maps=f".map m {kind} key=4 value=16 max_entries=64")
    with engines(source, cpus=possible_cpus()) as loaded, one_cpu():
        assert same(loaded, frame(1, 0, b"kept")) == 0
        for number in range(300):
            assert same(loaded, frame(1, 0, number.to_bytes(4, "little"))) == 0
            assert same(loaded, frame(0, 0, b"kept")) == 256
        sizes = [len(each.maps["m"].lookup_batch()) for each in loaded]
        assert sizes[0] == sizes[1] == 64
        assert 32 <= sizes[2] <= 64  # Linux evicts by batches


@pytest.mark.linux
@pytest.mark.parametrize("size", [1, 4, 12])
def test_lpm_tries(size):
    rng = random.Random(size)
    base = rng.randbytes(size)
    keys = []
    for _ in range(30):
        address = bytearray(base)
        address[rng.randrange(size)] ^= 1 << rng.randrange(8)
        keys.append(rng.randrange(8 * size + 2).to_bytes(4, "little") + address)
    spec = MapSpec("m", MapType.LPM_TRIE, 4 + size, 8, 20, MapFlags.NO_PREALLOC)
    compare_keyed(spec, keys, 400)


@pytest.mark.linux
@pytest.mark.parametrize("kind", ["percpu_array", "percpu_hash", "lru_percpu_hash"])
def test_values_of_other_cpus(kind):
    source = (
        HEAD
        + """
    r1 = map[m] ll
    r2 = r10
    r2 += -24
    r3 = *(u8 *)(r6 + 15)
    if r3 != 255 goto cpu
    r3 = 0x100000000 ll
cpu:
    call 195
    if r0 == 0 goto out
    r0 = *(u64 *)(r0 + 0)
"""
    )
    source = (source + TAIL).format(maps=f".map m {kind} key=4 value=8 max_entries=4")
    cpus = possible_cpus()
    value = b"".join((100 + cpu).to_bytes(8, "little") for cpu in range(cpus))
    with engines(source, cpus=cpus) as loaded:
        for each in loaded:
            each.maps["m"].update(bytes(4), value)
        for cpu in (*range(cpus), cpus, cpus + 1, 254):
            assert same(loaded, frame(0, cpu)) == (100 + cpu if cpu < cpus else 0)
        assert same(loaded, frame(0, 255)) == 100
        assert same(loaded, frame(0, 0, key=b"\x07")) == 0


INNER = (
    HEAD
    + """
    r1 = map[outer] ll
    r2 = r6
    r2 += 48
    call 1
    if r0 == 0 goto out
    r1 = r0
    r2 = r10
    r2 += -24
    if r8 == 1 goto update
    if r8 == 2 goto delete
    call 1
    if r0 == 0 goto out
    r1 = *(u8 *)(r0 + 0)
    r2 = 1
    *(u8 *)(r0 + 1) = r2
    r0 = r1
    r0 |= 256
    exit
update:
    r3 = r10
    r3 += -48
"""
    + FLAGS_IN_R4
    + """
    call 2
    exit
delete:
    call 3
"""
    + TAIL
)


@pytest.mark.linux
@pytest.mark.parametrize("outer", ["array_of_maps", "hash_of_maps key=4"])
@pytest.mark.parametrize("inner", ["hash", "array", "lru_hash", "lpm_trie"])
def test_maps_of_maps(outer, inner):
    rng = random.Random(inner)
    sizes = {
        "hash": "key=4 value=8 max_entries=4",
        "array": "value=8 max_entries=4",
        "lru_hash": "key=4 value=8 max_entries=64",
        "lpm_trie": "key=8 value=8 max_entries=4 flags=1",
    }[inner]
    maps = f"""
.map outer {outer} max_entries=3
.inner outer {inner} {sizes}
.map a {inner} {sizes}
.map b {inner} {sizes}
.map other hash key=4 value=4 max_entries=4
.slot outer 1 a
"""
    seen = set()
    with engines(INNER.format(maps=maps)) as loaded:
        for step in range(200):
            if step == 60:
                for each in loaded:
                    each.maps["outer"].update((2).to_bytes(4, "little"), each.maps["b"])
                    each.maps["outer"].update((1).to_bytes(4, "little"), each.maps["b"])
            if step == 120:
                for each in loaded:
                    each.maps["outer"].update((0).to_bytes(4, "little"), each.maps["a"])
                    each.maps["outer"].delete((2).to_bytes(4, "little"))
            key = rng.randrange(6).to_bytes(4, "little") + bytes(4)
            flags = rng.choice([0, 0, 0, 1, 2, 255])
            data = bytearray(frame(rng.choice([0, 1, 1, 2]), flags, key, rng.randbytes(8)))
            data[48] = rng.randrange(4)
            seen.add(same(loaded, bytes(data)))
        for name in ("a", "b"):
            contents = [sorted(each.maps[name].items()) for each in loaded]
            assert contents[0] == contents[1] == contents[2]
        keys = [sorted(key for key, _ in each.maps["outer"].items()) for each in loaded]
        assert keys[0] == keys[1] == keys[2]
        for each in loaded:
            for key, value in each.maps["outer"].items():
                held = {0: "a", 1: "b"}[key[0]]
                assert int.from_bytes(value, "little") == each.maps[held].id
    assert len(seen) > 3


INNER_QUEUE = """
    r1 = map[outer] ll
    r2 = r6
    r2 += 48
    call 1
    if r0 == 0 goto out
    r1 = r0
    r2 = r10
    r2 += -48
    if r8 == 1 goto push
    if r8 == 2 goto peek
    call 88
    goto shown
peek:
    call 89
shown:
    if r0 != 0 goto out
    r0 = *(u8 *)(r10 - 48)
    r0 |= 256
    exit
push:
    r3 = 0
    call 87
"""


@pytest.mark.linux
@pytest.mark.parametrize("kind", ["queue", "stack"])
def test_queues_inside_maps(kind):
    rng = random.Random(kind)
    maps = f"""
.map outer array_of_maps max_entries=2
.inner outer {kind} value=8 max_entries=3
.map a {kind} value=8 max_entries=3
.map b {kind} value=8 max_entries=9
.slot outer 0 a
.slot outer 1 b
"""
    seen = set()
    with engines((HEAD + INNER_QUEUE + TAIL).format(maps=maps)) as loaded:
        for _ in range(150):
            data = bytearray(frame(rng.choice([0, 1, 1, 2]), value=rng.randbytes(8)))
            data[48] = rng.randrange(3)
            seen.add(same(loaded, bytes(data)))
    assert {(1 << 32) - 2, (1 << 32) - 7, 0} <= seen


@pytest.mark.linux
def test_values_of_all_cpus_inside_maps():
    source = (
        HEAD
        + """
    r1 = map[outer] ll
    r2 = r10
    r2 += -24
    call 1
    if r0 == 0 goto out
    r1 = r0
    r2 = r10
    r2 += -24
    r3 = *(u8 *)(r6 + 15)
    call 195
    if r0 == 0 goto out
    r0 = *(u64 *)(r0 + 0)
"""
    )
    maps = """
.map outer array_of_maps max_entries=2
.inner outer percpu_hash key=4 value=8 max_entries=3
.map a percpu_hash key=4 value=8 max_entries=3
.slot outer 0 a
"""
    cpus = possible_cpus()
    value = b"".join((50 + cpu).to_bytes(8, "little") for cpu in range(cpus))
    with engines((source + TAIL).format(maps=maps), cpus=cpus) as loaded:
        for each in loaded:
            each.maps["a"].update(bytes(4), value)
        assert [same(loaded, frame(0, cpu)) for cpu in range(cpus + 1)] == [
            *range(50, 50 + cpus),
            0,
        ]


@pytest.mark.linux
@pytest.mark.parametrize("kind", ["devmap value=4", "devmap value=8", "devmap_hash value=8"])
def test_programs_read_devices(kind):
    source = (
        HEAD
        + """
    r1 = map[m] ll
    r2 = r10
    r2 += -24
    call 1
    if r0 == 0 goto out
    r0 = *(u32 *)(r0 + 0)
"""
    )
    with engines((source + TAIL).format(maps=f".map m {kind} max_entries=3")) as loaded:
        for each in loaded:
            size = each.maps["m"].spec.value_size
            each.maps["m"].update((2).to_bytes(4, "little"), b"\x01".ljust(size, b"\0"))
        found = [same(loaded, frame(0, 0, key=bytes([number]))) for number in range(4)]
        assert found == [0, 0, 1, 0]


ONE_OF_SEVERAL = (
    HEAD
    + """
    if r8 == 0 goto plain
    if r8 == 1 goto other
    r1 = map[outer] ll
    r2 = r10
    r2 += -8
    call 1
    if r0 == 0 goto out
    r1 = r0
    goto call
other:
    r1 = map[b] ll
    goto call
plain:
    r1 = map[a] ll
call:
    r2 = r10
    r2 += -24
    r3 = *(u8 *)(r6 + 15)
    if r3 == 1 goto update
    call 1
    if r0 == 0 goto out
    r0 = *(u8 *)(r0 + 0)
    r0 |= 256
    exit
update:
    r3 = r10
    r3 += -48
    r4 = 0
    call 2
"""
)


@pytest.mark.linux
def test_a_register_that_holds_one_of_several_maps():
    rng = random.Random(4)
    maps = """
.map outer array_of_maps max_entries=1
.inner outer hash key=4 value=8 max_entries=3
.map a hash key=4 value=8 max_entries=4
.map b array value=8 max_entries=3
.map c hash key=4 value=8 max_entries=3
.slot outer 0 c
"""
    with engines((ONE_OF_SEVERAL + TAIL).format(maps=maps)) as loaded:
        results = [
            same(
                loaded,
                frame(rng.randrange(3), rng.randrange(2), bytes([rng.randrange(6)]), b"%d" % step),
            )
            for step in range(150)
        ]
        for name in "abc":
            contents = [sorted(each.maps[name].items()) for each in loaded]
            assert contents[0] == contents[1] == contents[2]
    assert len(set(results)) > 4


CHAIN = """
.license "GPL"
.map jumps prog_array max_entries=4
.map counts array value=8 max_entries=1
.slot jumps 0 again
.slot jumps 2 last
.section "xdp"
main:
    r6 = r1
    r7 = *(u32 *)(r6 + 0)
    r8 = *(u32 *)(r6 + 4)
    r0 = 0
    r1 = r7
    r1 += 15
    if r1 > r8 goto out
    r3 = *(u8 *)(r7 + 14)
    if r3 != 255 goto index
    r3 = 0x100000002 ll
index:
    r1 = r6
    r2 = map[jumps] ll
    call 12
    r0 = 77
out:
    exit
again:
    r6 = r1
    *(u32 *)(r10 - 4) = 0
    r1 = map[counts] ll
    r2 = r10
    r2 += -4
    call 1
    if r0 == 0 goto end
    r1 = *(u64 *)(r0 + 0)
    r1 += 1
    *(u64 *)(r0 + 0) = r1
    r1 = r6
    r2 = map[jumps] ll
    r3 = 0
    call 12
end:
    r0 = 55
    exit
last:
    r0 = *(u32 *)(r1 + 4)
    r1 = *(u32 *)(r1 + 0)
    r0 -= r1
    exit
"""


@pytest.mark.linux
def test_tail_calls():
    with engines(CHAIN) as loaded:
        for number, expected in ((2, 64), (1, 77), (3, 77), (4, 77), (255, 64), (0, 55)):
            assert same(loaded, frame(number)) == expected
        counts = [each.maps["counts"].lookup(bytes(4)) for each in loaded]
        assert counts == [(33).to_bytes(8, "little")] * 3
        for each in loaded:
            each.maps["jumps"].update((1).to_bytes(4, "little"), each.programs["last"])
            each.maps["jumps"].delete((2).to_bytes(4, "little"))
            found = dict(each.maps["jumps"].items())
            assert {key[0] for key in found} == {0, 1}
            assert found[bytes([1, 0, 0, 0])] == each.programs["last"].id.to_bytes(4, "little")
        assert same(loaded, frame(1)) == 64
        assert same(loaded, frame(2)) == 77
        # again, from the start: the count is a run's
        assert same(loaded, frame(0)) == 55
        assert {each.maps["counts"].lookup(bytes(4))[0] for each in loaded} == {66}


def typed(spec):
    """Every function with a prototype ``int f(void *, int)``, which subprograms need here."""
    builder = Builder()
    number = builder.signed_int()
    params = (Param("ctx", builder.pointer(0)), Param("index", number))
    functions = {
        name: replace(
            row,
            type_id=builder.function(
                name, number, params, Linkage.GLOBAL if row.is_global else Linkage.STATIC
            ),
        )
        for name, row in spec.functions.items()
    }
    return replace(spec, functions=functions, btf=builder.build())


IN_SUBPROGRAM = """
.license "GPL"
.map jumps prog_array max_entries=2
.slot jumps 0 callee
.section "xdp"
main:
    r6 = r1
    r7 = 5
    r2 = 0
    call jump
    r7 += r0
    r1 = r6
    r2 = 1
    call jump
    r0 += r7
    exit
callee:
    r0 = 100
    exit
.text
jump:
    r3 = r2
    r2 = map[jumps] ll
    call 12
    r0 = 9
    exit
"""


@pytest.mark.linux
def test_tail_calls_from_a_subprogram_return_to_its_caller():
    with engines(typed(read_assembly(IN_SUBPROGRAM))) as loaded:
        assert same(loaded, frame()) == 5 + 100 + 9


REDIRECT = (
    HEAD
    + """
    r1 = map[m] ll
    r2 = *(u32 *)(r6 + 16)
    r3 = *(u8 *)(r6 + 15)
    if r3 != 255 goto call
    r3 = 0x100000001 ll
call:
    call 51
"""
    + TAIL
)


@pytest.mark.linux
@pytest.mark.parametrize(
    "kind", ["devmap value=4", "devmap value=8", "devmap_hash value=4", "cpumap value=4", "xskmap"]
)
def test_redirections(kind):
    maps = f".map m {kind} max_entries=2"
    with engines(REDIRECT.format(maps=maps), cpus=possible_cpus()) as loaded:
        verdicts = {}
        for filled in (False, True):
            if filled and not kind.startswith("xskmap"):
                for each in loaded:
                    spec = each.maps["m"].spec
                    each.maps["m"].update(bytes(4), b"\x01".ljust(spec.value_size, b"\0"))
            for key in (0, 1, 5):
                for flags in (*range(33), 255):
                    given = frame(0, flags, key=key.to_bytes(4, "little"))
                    verdicts[filled, key, flags] = same(loaded, given)
        assert set(verdicts.values()) >= {0, 1, 2, 3}
        if not kind.startswith("xskmap"):
            assert verdicts[True, 0, 0] == 4
            assert verdicts[False, 0, 2] == 2


CONSTANT_KEY = """
.license "GPL"
.map m array value=8 max_entries=4{flags}
.section "xdp"
main:
    *(u32 *)(r10 - 8) = {key}
    r1 = map[m] ll
    r2 = r10
    r2 += -8
    call 1
    r0 = *(u64 *)(r0 + 0)
    exit
"""


@pytest.mark.linux
@pytest.mark.parametrize("key", [0, 3, 4])
@pytest.mark.parametrize("flags", ["", " flags=0x1000"])
def test_a_constant_key_is_there_unless_the_map_may_be_smaller(key, flags):
    program = link(read_assembly(CONSTANT_KEY.format(key=key, flags=flags)), "main")
    accepted = verify(program).accepted
    assert accepted == LinuxKernel().verdict(program).accepted
    assert accepted == (key < 4 and not flags)


WRONG_TYPE = """
.license "GPL"
.map jumps prog_array max_entries=1
.slot jumps 0 callee
.section "{first}"
main:
    r2 = map[jumps] ll
    r3 = 0
    call 12
    r0 = 0
    exit
.section "{second}"
callee:
    r0 = 1
    exit
"""


@pytest.mark.linux
@pytest.mark.parametrize(
    ("first", "second"), [("xdp", "tc"), ("tc", "xdp"), ("xdp", "xdp.frags"), ("tc", "tc")]
)
def test_a_prog_array_takes_programs_of_one_kind(first, second):
    spec = read_assembly(WRONG_TYPE.format(first=first, second=second))
    for kernel in (UserspaceKernel("jit"), UserspaceKernel("interpreter"), LinuxKernel()):
        if first == second:
            with kernel.load(spec) as loaded:
                assert loaded.programs["main"].test_run(bytes(64)).retval == 1
        else:
            with pytest.raises((MapError, RejectedError, SyscallError)) as refused:
                kernel.load(spec)
            assert getattr(refused.value, "errno", 22) == 22
