"""Layouts: nothing overlaps, everything is aligned, and what Linux refuses is refused."""

import itertools

import pytest

from beebox.errors import MapError, NotSupportedError
from beebox.maps.code import map_code
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


@pytest.mark.parametrize(
    "spec",
    [
        MapSpec("m", MapType.PERF_EVENT_ARRAY, 4, 4, 1),
        MapSpec("m", MapType.STACK_TRACE, 4, 8, 1),
        MapSpec("m", MapType.CGROUP_ARRAY, 4, 4, 1),
        MapSpec("m", MapType.SOCKMAP, 4, 4, 1),
        MapSpec("m", MapType.SOCKHASH, 4, 4, 1),
        MapSpec("m", MapType.CGROUP_STORAGE, 8, 4, 0),
        MapSpec("m", MapType.PERCPU_CGROUP_STORAGE, 8, 4, 0),
        MapSpec("m", MapType.REUSEPORT_SOCKARRAY, 4, 4, 1),
        MapSpec("m", MapType.RINGBUF, 0, 0, 4096),
        MapSpec("m", MapType.USER_RINGBUF, 0, 0, 4096),
        MapSpec("m", MapType.ARENA, 0, 0, 1, MapFlags.MMAPABLE),
        MapSpec("m", MapType.SK_STORAGE, 4, 4, 0, MapFlags.NO_PREALLOC, 1, 1),
        MapSpec("m", MapType.INODE_STORAGE, 4, 4, 0, MapFlags.NO_PREALLOC, 1, 1),
        MapSpec("m", MapType.TASK_STORAGE, 4, 4, 0, MapFlags.NO_PREALLOC, 1, 1),
        MapSpec("m", MapType.CGRP_STORAGE, 4, 4, 0, MapFlags.NO_PREALLOC, 1, 1),
        MapSpec("m", MapType.STRUCT_OPS, 4, 4, 1, value_type_id=1),
    ],
)
def test_types_that_this_kernel_lacks_are_refused_by_name(spec):
    with pytest.raises(NotSupportedError) as refused:
        layout_of(spec)
    assert spec.type.value.name in refused.value.feature


TYPES = [
    (MapSpec("m", MapType.LRU_HASH, 4, 8, 100), 1),
    (MapSpec("m", MapType.LRU_PERCPU_HASH, 13, 5, 100), 3),
    (MapSpec("m", MapType.LPM_TRIE, 5, 1, 100, MapFlags.NO_PREALLOC), 1),
    (MapSpec("m", MapType.LPM_TRIE, 8, 8, 1, MapFlags.NO_PREALLOC), 1),
    (MapSpec("m", MapType.LPM_TRIE, 20, 4, 100, MapFlags.NO_PREALLOC), 1),
    (MapSpec("m", MapType.LPM_TRIE, 260, 40, 7, MapFlags.NO_PREALLOC), 1),
]


@pytest.mark.parametrize(("spec", "cpus"), TYPES)
def test_parts_of_elements_and_tables_do_not_overlap(spec, cpus):
    where = layout_of(spec, cpus=cpus)
    assert where.value % 8 == where.stride % 8 == where.elements % 64 == 0
    assert where.value >= where.key + spec.key_size
    assert where.free_stack >= where.elements + where.stride * spec.max_entries
    assert where.size == where.free_stack + 4 * spec.max_entries
    if isinstance(where, HashLayout):
        assert where.key == where.used + 4 >= (12 if where.has_tag else 8)
        return
    address = spec.key_size - 4
    starts = [where.root, where.root_exact, where.nodes, where.meta, where.masks, where.elements]
    sizes = [
        8 << where.root_bits,
        8 << where.root_bits,
        128 * spec.max_entries,
        where.meta_stride * spec.max_entries,
        address * (8 * address + 1),
    ]
    for start, size, following in zip(starts, sizes, starts[1:], strict=False):
        assert start + size <= following
    assert where.meta_stride >= 136 + address
    assert 2 * address - 1 < 1 << where.depth_bits
    assert spec.max_entries < 1 << 31 - where.depth_bits


def test_a_program_brings_only_the_code_it_needs():
    spec = MapSpec("m", MapType.LRU_HASH, 4, 8, 100)
    everything = map_code(spec, "map0").ir
    lookup = map_code(spec, "map0", needed={"lookup", "tail_call"}).ir
    assert '@"map0_update"(' in everything
    assert '@"map0_lookup"(' in lookup
    assert "map0_update" not in lookup
    assert "map0_evicted" not in lookup
    assert "map0_evicted" in map_code(spec, "map0", needed={"update"}).ir
    assert "map0_storage" in map_code(spec, "map0", needed=()).ir
