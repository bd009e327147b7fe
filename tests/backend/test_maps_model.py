"""Maps of both kernels under the same random operations: the same values, the same errno."""

import random

import pytest

from beebox.backend import Map
from beebox.errors import MapError
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


def padded(value, spec):
    """A value as user space gives it: a slot for each CPU, padding zero."""
    if not spec.type.value.per_cpu:
        return value
    return value.ljust((len(value) + 7) // 8 * 8, b"\0") * possible_cpus()


@pytest.mark.linux
@pytest.mark.parametrize("kind", [MapType.HASH, MapType.PERCPU_HASH])
@pytest.mark.parametrize(
    ("key_size", "value_size"), [(1, 1), (2, 8), (3, 3), (4, 8), (6, 20), (8, 8), (13, 5), (40, 64)]
)
def test_hash_is_linux_hash(kind, key_size, value_size):
    compare(MapSpec("m", kind, key_size, value_size, 13), seed=key_size * 100 + value_size)


@pytest.mark.linux
@pytest.mark.parametrize("kind", [MapType.ARRAY, MapType.PERCPU_ARRAY])
@pytest.mark.parametrize("value_size", [1, 4, 8, 20])
def test_array_is_linux_array(kind, value_size):
    compare(MapSpec("m", kind, 4, value_size, 13), seed=value_size)


@pytest.mark.linux
def test_hash_without_preallocation_is_linux_hash():
    compare(MapSpec("m", MapType.HASH, 4, 8, 13, MapFlags.NO_PREALLOC), seed=1)


def compare(spec, seed):
    rng = random.Random(seed)
    if spec.type in {MapType.ARRAY, MapType.PERCPU_ARRAY}:
        keys = [index.to_bytes(4, "little") for index in (*range(16), 1 << 31)]
    else:
        keys = list({rng.randbytes(spec.key_size) for _ in range(20)})
    with (
        LinuxKernel().load(ObjectSpec({}, {"m": spec})) as loaded,
        LiveMap(spec, cpus=possible_cpus()) as ours,
    ):
        theirs: Map = loaded.maps["m"]
        for step in range(600):
            key = rng.choice(keys)
            match rng.randrange(4):
                case 0 | 1:
                    value = padded(rng.randbytes(spec.value_size), spec)
                    flags = UpdateFlags(rng.choice(FLAGS))
                    results = [outcome(one.update, key, value, flags) for one in (ours, theirs)]
                case 2:
                    results = [outcome(one.delete, key) for one in (ours, theirs)]
                case _:
                    results = [outcome(one.lookup, key) for one in (ours, theirs)]
            assert results[0] == results[1], (step, key)
            if step % 50 == 0:
                assert sorted(ours.lookup_batch()) == sorted(theirs.lookup_batch())
        assert sorted(ours.items()) == sorted(theirs.items())
