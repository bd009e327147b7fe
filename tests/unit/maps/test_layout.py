"""Layouts: nothing overlaps, everything is aligned, and what Linux refuses is refused."""

import itertools

import pytest

from beebox.errors import MapError
from beebox.maps.layout import ArrayLayout, HashLayout, layout_of
from beebox.obj.model import MapSpec
from beebox.tables.map_types import MapFlags, MapType


@pytest.mark.parametrize(
    ("kind", "key_size", "value_size", "entries", "cpus"),
    list(
        itertools.product(
            (MapType.HASH, MapType.PERCPU_HASH), (1, 4, 5, 8, 13), (1, 8, 20), (1, 7, 64), (1, 3)
        )
    ),
)
def test_hash_parts_do_not_overlap(kind, key_size, value_size, entries, cpus):
    where = layout_of(MapSpec("m", kind, key_size, value_size, entries), cpus=cpus)
    assert isinstance(where, HashLayout)
    slots = cpus if kind.value.per_cpu else 1
    assert where.buckets >= entries
    assert where.buckets & (where.buckets - 1) == 0
    assert where.elements >= 64 + 4 * where.buckets
    assert where.key >= (8 if where.has_tag else 4)
    assert where.value >= where.key + key_size
    assert where.value_stride >= value_size
    assert where.stride >= where.value + where.value_stride * slots
    assert where.free_stack >= where.elements + where.stride * entries
    assert where.size >= where.free_stack + 4 * entries
    assert where.value % 8 == where.stride % 8 == where.elements % 64 == where.value_stride % 8 == 0


@pytest.mark.parametrize(("kind", "slots"), [(MapType.ARRAY, 1), (MapType.PERCPU_ARRAY, 3)])
def test_array_parts_do_not_overlap(kind, slots):
    where = layout_of(MapSpec("m", kind, 4, 5, 10), cpus=3)
    assert isinstance(where, ArrayLayout)
    assert where.stride == 8 * slots
    assert where.size == where.elements + 10 * where.stride


@pytest.mark.parametrize(
    ("spec", "errno"),
    [
        (MapSpec("m", MapType.HASH, 0, 8, 1), 22),
        (MapSpec("m", MapType.HASH, 4, 0, 1), 22),
        (MapSpec("m", MapType.HASH, 4, 8, 0), 22),
        (MapSpec("m", MapType.ARRAY, 8, 8, 1), 22),
        (MapSpec("m", MapType.HASH, 4, 8, 1, MapFlags.MMAPABLE), 22),
        (MapSpec("m", MapType.ARRAY, 4, 8, 1, MapFlags.NO_PREALLOC), 22),
        (MapSpec("m", MapType.HASH, 4, 8, 1, MapFlags.RDONLY | MapFlags.WRONLY), 22),
        (MapSpec("m", MapType.HASH, 1 << 30, 8, 1), 7),
        (MapSpec("m", MapType.HASH, 4, 8, (1 << 32) - 1), 7),
        (MapSpec("m", MapType.ARRAY, 4, 1 << 20, 1 << 20), 12),
    ],
)
def test_impossible_maps_are_refused(spec, errno):
    with pytest.raises(MapError) as refused:
        layout_of(spec)
    assert refused.value.errno == errno
