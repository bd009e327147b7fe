"""Live maps alone: values for all CPUs, snapshots, access flags, lifetime."""

import numpy as np
import pytest

from beebox.errors import (
    InputError,
    KeyExists,
    KeyNotFound,
    MapError,
    MapFull,
    NotSupportedError,
)
from beebox.maps.view import LiveMap
from beebox.obj.model import MapSpec
from beebox.tables.map_types import MapFlags, MapType, UpdateFlags


def number(value, size=4):
    return value.to_bytes(size, "little")


def test_snapshot_leaves_deleted_elements_out_and_reuses_them():
    with LiveMap(MapSpec("m", MapType.HASH, 4, 8, 4)) as live:
        for key in range(4):
            live.update(number(key), number(key * 7, 8))
        with pytest.raises(MapFull):
            live.update(number(9), number(0, 8))
        live.delete(number(1))
        live.delete(number(2))
        assert dict(live.items()) == {number(k): number(k * 7, 8) for k in (0, 3)}
        live.update(number(9), number(63, 8))
        assert len(live) == 3
        keys, values = live.snapshot()
        assert keys.shape == (3, 4)
        assert values.shape == (3, 8)
        assert dict(live.items())[number(9)] == number(63, 8)


def test_snapshot_is_a_copy():
    with LiveMap(MapSpec("m", MapType.ARRAY, 4, 8, 2)) as live:
        _, values = live.snapshot()
        live.update(number(0), number(5, 8))
        assert not values.any()


@pytest.mark.parametrize("kind", [MapType.PERCPU_HASH, MapType.PERCPU_ARRAY])
def test_per_cpu_values_have_one_padded_slot_each(kind):
    with LiveMap(MapSpec("m", kind, 4, 3, 2), cpus=3) as live:
        value = b"".join(bytes([cpu + 1] * 3).ljust(8, b"\0") for cpu in range(3))
        live.update(number(1), value)
        assert live.lookup(number(1)) == value
        with pytest.raises(InputError):
            live.update(number(1), bytes(3))


def test_update_batch_is_as_many_updates():
    with LiveMap(MapSpec("m", MapType.HASH, 6, 12, 10_000)) as live:
        rng = np.random.default_rng(1)
        items = [(rng.bytes(6), rng.bytes(12)) for _ in range(5000)]
        live.update_batch(items)
        assert dict(live.lookup_batch()) == dict(items)


@pytest.mark.parametrize("key_size", [1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 14, 15, 16, 23])
def test_every_byte_of_a_key_counts(key_size):
    with LiveMap(MapSpec("m", MapType.HASH, key_size, 1, 64)) as live:
        keys = [bytes(key_size)]
        keys += [bytes(at) + b"\1" + bytes(key_size - at - 1) for at in range(key_size)]
        for index, key in enumerate(keys):
            live.update(key, bytes([index]), UpdateFlags.NOEXIST)
        assert [live.lookup(key)[0] for key in keys] == list(range(len(keys)))


def test_access_flags_bind_user_space():
    with LiveMap(MapSpec("m", MapType.ARRAY, 4, 8, 1, MapFlags.RDONLY)) as live:
        assert live.lookup(number(0)) == bytes(8)
        with pytest.raises(MapError) as refused:
            live.update(number(0), bytes(8))
        assert refused.value.errno == 1
    with LiveMap(MapSpec("m", MapType.ARRAY, 4, 8, 1, MapFlags.WRONLY)) as live:
        live.update(number(0), bytes(8))
        with pytest.raises(MapError):
            live.lookup(number(0))


def test_frozen_global_data_is_read_only():
    spec = MapSpec(".rodata", MapType.ARRAY, 4, 5, 1, contents=b"hello", frozen=True)
    with LiveMap(spec) as live:
        assert live.lookup(number(0)) == b"hello"
        with pytest.raises(MapError):
            live.update(number(0), b"other")


def test_errors_are_of_their_class():
    with LiveMap(MapSpec("m", MapType.HASH, 4, 8, 1)) as live:
        with pytest.raises(KeyNotFound):
            live.lookup(number(1))
        with pytest.raises(KeyNotFound):
            live.update(number(1), bytes(8), UpdateFlags.EXIST)
        live.update(number(1), bytes(8))
        with pytest.raises(KeyExists):
            live.update(number(1), bytes(8), UpdateFlags.NOEXIST)
        with pytest.raises(InputError):
            live.lookup(b"")


def test_closed_map_is_refused():
    live = LiveMap(MapSpec("m", MapType.HASH, 4, 8, 1))
    live.close()
    live.close()
    with pytest.raises(InputError):
        live.lookup(number(1))


def test_a_kind_that_is_not_there_is_not_wrong():
    with pytest.raises(NotSupportedError):
        LiveMap(MapSpec("m", MapType.ARENA, 0, 0, 1, MapFlags.MMAPABLE, contents=bytes(8)))


@pytest.mark.parametrize(
    "kind",
    [MapType.HASH, MapType.LRU_HASH, MapType.PERCPU_ARRAY, MapType.QUEUE, MapType.PROG_ARRAY],
)
def test_only_arrays_begin_with_contents(kind):
    key = kind.value.key_size if kind.value.key_size is not None else 4
    value = 4 if kind is MapType.PROG_ARRAY else 8
    with pytest.raises(MapError):
        LiveMap(MapSpec("m", kind, key, value, 1, contents=b"\xff" * value))
