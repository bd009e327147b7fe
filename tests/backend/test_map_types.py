"""Map types of both kernels under the same random operations of user space: the same values, the
same errno. What the types share with hashes and arrays: test_maps_model."""

import errno
import os
import random
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from beebox.backend import Map
from beebox.errors import InputError, KeyNotFound, MapError
from beebox.linux.kernel import LinuxKernel
from beebox.linux.objects import possible_cpus
from beebox.maps.view import LiveMap
from beebox.obj.model import MapSpec, ObjectSpec
from beebox.tables.map_types import MapFlags, MapType, UpdateFlags

FLAGS = [0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 8]


def outcome(action, *arguments):
    try:
        return action(*arguments)
    except MapError as error:
        return type(error).__name__, error.errno


def number(value: int, size: int = 4) -> bytes:
    return value.to_bytes(size, "little")


@contextmanager
def both(spec: MapSpec) -> Iterator[tuple[LiveMap, Map]]:
    with (
        LinuxKernel().load(ObjectSpec({}, {"m": spec})) as loaded,
        LiveMap(spec, cpus=possible_cpus()) as ours,
    ):
        yield ours, loaded.maps["m"]


@contextmanager
def one_cpu():
    """Linux keeps free elements of an LRU per CPU."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def values(spec: MapSpec, rng: random.Random) -> bytes:
    value = rng.randbytes(spec.value_size)
    if not spec.type.value.per_cpu:
        return value
    return value.ljust((len(value) + 7) // 8 * 8, b"\0") * possible_cpus()


def run_keyed(spec: MapSpec, keys: list[bytes], steps: int, *, ordered: bool = False) -> None:
    rng = random.Random(spec.key_size * 77 + spec.value_size)
    with both(spec) as (ours, theirs):
        for step in range(steps):
            key = rng.choice(keys)
            match rng.randrange(8):
                case 0 | 1 | 2:
                    value, flags = values(spec, rng), UpdateFlags(rng.choice(FLAGS))
                    results = [outcome(one.update, key, value, flags) for one in (ours, theirs)]
                case 3 | 4:
                    results = [outcome(one.delete, key) for one in (ours, theirs)]
                case 5:
                    results = [outcome(one.lookup_and_delete, key) for one in (ours, theirs)]
                case 6 if ordered:
                    results = [outcome(one.next_key, key) for one in (ours, theirs)]
                case _:
                    results = [outcome(one.lookup, key) for one in (ours, theirs)]
            assert results[0] == results[1], (step, key)
            if step % 50 == 0:
                here, there = ours.lookup_batch(), theirs.lookup_batch()
                assert here == there if ordered else sorted(here) == sorted(there)
        assert sorted(ours.items()) == sorted(theirs.items())


@pytest.mark.linux
@pytest.mark.parametrize("kind", [MapType.LRU_HASH, MapType.LRU_PERCPU_HASH])
@pytest.mark.parametrize("flags", [MapFlags.NONE, MapFlags.NO_COMMON_LRU])
@pytest.mark.parametrize(("key_size", "value_size"), [(4, 8), (3, 3), (12, 20)])
def test_lru_below_capacity_is_linux(kind, flags, key_size, value_size):
    rng = random.Random(key_size)
    keys = [rng.randbytes(key_size) for _ in range(24)]
    with one_cpu():
        run_keyed(MapSpec("m", kind, key_size, value_size, 256, flags), keys, 500)


@pytest.mark.linux
@pytest.mark.parametrize(("bits", "value_size"), [(32, 8), (128, 4), (8, 1), (24, 3), (2048, 9)])
def test_lpm_trie_is_linux(bits, value_size):
    rng = random.Random(bits)
    size = bits // 8
    bases = [rng.randbytes(size) for _ in range(3)]
    keys = []
    for _ in range(60):
        address = bytearray(rng.choice(bases))
        address[rng.randrange(size)] ^= 1 << rng.randrange(8)
        length = rng.choice([0, bits, rng.randrange(bits + 1), rng.randrange(bits + 1)])
        keys.append(number(length) + address)
    keys.append(number(bits + 1) + bytes(size))
    spec = MapSpec("m", MapType.LPM_TRIE, 4 + size, value_size, 40, MapFlags.NO_PREALLOC)
    run_keyed(spec, keys, 1500, ordered=True)


@pytest.mark.linux
@pytest.mark.parametrize("kind", [MapType.QUEUE, MapType.STACK])
@pytest.mark.parametrize(("value_size", "entries"), [(8, 5), (1, 1), (20, 3)])
def test_queues_are_linux(kind, value_size, entries):
    rng = random.Random(value_size)
    with both(MapSpec("m", kind, 0, value_size, entries)) as (ours, theirs):
        for step in range(400):
            match rng.randrange(8):
                case 0 | 1 | 2:
                    value, flags = rng.randbytes(value_size), UpdateFlags(rng.choice(FLAGS))
                    results = [outcome(one.push, value, flags) for one in (ours, theirs)]
                case 3 | 4:
                    results = [outcome(one.pop) for one in (ours, theirs)]
                case 5:
                    results = [outcome(one.delete, b"") for one in (ours, theirs)]
                case 6:
                    results = [outcome(one.next_key, None) for one in (ours, theirs)]
                case _:
                    results = [outcome(one.peek) for one in (ours, theirs)]
            assert results[0] == results[1], step


@pytest.mark.linux
@pytest.mark.parametrize(("value_size", "hashes"), [(4, 0), (8, 3), (3, 15), (40, 1)])
def test_bloom_filters_are_linux(value_size, hashes):
    rng = random.Random(value_size)
    pushed = [rng.randbytes(value_size) for _ in range(200)]
    spec = MapSpec("m", MapType.BLOOM_FILTER, 0, value_size, 200, extra=hashes)
    with both(spec) as (ours, theirs):
        for value in pushed:
            flags = UpdateFlags(rng.choice(FLAGS))
            results = [outcome(one.push, value, flags) for one in (ours, theirs)]
            assert results[0] == results[1]
            if results[0] is None:
                assert ours.contains(value)
                assert theirs.contains(value)
        others = [rng.randbytes(value_size) for _ in range(2000)]
        false = [sum(one.contains(value) for value in others) for one in (ours, theirs)]
        assert false[0] <= 2 * false[1] + 60
        assert outcome(ours.pop) == outcome(theirs.pop)
        assert outcome(ours.delete, b"") == outcome(theirs.delete, b"")
        assert outcome(ours.next_key, None) == outcome(theirs.next_key, None)


@pytest.mark.linux
@pytest.mark.parametrize("kind", [MapType.DEVMAP, MapType.DEVMAP_HASH, MapType.CPUMAP])
@pytest.mark.parametrize("value_size", [4, 8])
def test_targets_are_linux(kind, value_size):
    rng = random.Random(value_size)
    keys = [number(index) for index in (*range(5), 1 << 31)]
    spec = MapSpec("m", kind, 4, value_size, 4)
    with both(spec) as (ours, theirs):
        for step in range(200):
            key = rng.choice(keys)
            match rng.randrange(6):
                case 0 | 1 | 2:  # device 1 is there in every network namespace
                    value = number(rng.choice([0, 1, 1])).ljust(value_size, b"\0")
                    flags = UpdateFlags(rng.choice(FLAGS))
                    results = [outcome(one.update, key, value, flags) for one in (ours, theirs)]
                case 3:
                    results = [outcome(one.delete, key) for one in (ours, theirs)]
                case 4:
                    results = [outcome(one.lookup_and_delete, key) for one in (ours, theirs)]
                case _:
                    results = [outcome(one.lookup, key) for one in (ours, theirs)]
            assert results[0] == results[1], (step, key)
            if step % 20 == 0:
                assert sorted(ours.items()) == sorted(theirs.items())
        if kind is not MapType.DEVMAP_HASH:
            for key in (None, *keys):
                assert outcome(ours.next_key, key) == outcome(theirs.next_key, key)


@pytest.mark.linux
@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_whatever_holds_bytes_is_a_key_and_a_value(kind):
    spec = MapSpec("m", MapType.HASH, 8, 8, 4)
    key, value = number(7, 8), number(9, 8)
    with both(spec) as maps:
        for live in maps:
            live.update(kind(key), kind(value))
            assert live.lookup(kind(key)) == value
            with pytest.raises(KeyNotFound):
                live.next_key(kind(key))
            live.delete(kind(key))
    with both(MapSpec("m", MapType.QUEUE, 0, 8, 4)) as maps:
        for live in maps:
            live.push(kind(value))
            assert live.pop() == value


@pytest.mark.linux
@pytest.mark.parametrize("wrong", ["abcdefgh", 5])
def test_what_holds_no_bytes_is_refused(wrong):
    spec = MapSpec("m", MapType.HASH, 8, 8, 4)
    with both(spec) as maps:
        for live in maps:
            for action in (live.lookup, live.delete, live.next_key, live.lookup_and_delete):
                with pytest.raises(TypeError):
                    action(wrong)
            with pytest.raises(TypeError):
                live.update(wrong, bytes(8))
            with pytest.raises(InputError):
                live.update(bytes(8), wrong)


@pytest.mark.linux
def test_misuse_is_the_same_error_in_both_kernels():
    with both(MapSpec("m", MapType.HASH, 8, 8, 4)) as maps:
        for live in maps:
            for short in (b"", bytes(7), bytes(9)):
                with pytest.raises(InputError):
                    live.next_key(short)
            assert outcome(live.update, bytes(8), bytes(8), 1 << 70) == ("MapError", errno.EINVAL)
            assert outcome(live.update, bytes(8), bytes(8), -1) == ("MapError", errno.EINVAL)
            assert outcome(live.push, bytes(8)) == ("MapError", errno.EOPNOTSUPP)
            assert outcome(live.pop) == ("MapError", 524)
            assert outcome(live.peek) == ("MapError", errno.EOPNOTSUPP)
            assert list(live.items()) == []
