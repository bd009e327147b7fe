"""LRU hashes that are full: something old goes, what is in use stays."""

import random

import pytest

from beebox.errors import KeyNotFound
from beebox.maps.view import LiveMap
from beebox.obj.model import MapSpec
from beebox.tables.map_types import MapType

CAPACITY = 64


def key(number):
    return number.to_bytes(4, "little")


def touch(live, number):
    """A lookup as a program's, which counts as use."""
    return live.operations.call("lookup", key(number))


@pytest.fixture(params=[MapType.LRU_HASH, MapType.LRU_PERCPU_HASH])
def live(request):
    with LiveMap(MapSpec("m", request.param, 4, 8, CAPACITY)) as made:
        for number in range(CAPACITY):
            made.update(key(number), bytes(8))
        yield made


def test_a_full_map_takes_new_keys_and_keeps_its_size(live):
    for number in range(CAPACITY, 20 * CAPACITY):
        live.update(key(number), number.to_bytes(8, "little"))
        assert len(live) == CAPACITY
        assert live.lookup(key(number)) == number.to_bytes(8, "little")
    items = dict(live.items())
    assert len(items) == CAPACITY
    assert all(value[:4] == name for name, value in items.items())


def test_what_programs_use_stays(live):
    kept = range(0, CAPACITY, 8)
    for number in range(CAPACITY, 10 * CAPACITY):
        for used in kept:
            assert touch(live, used)
        live.update(key(number), bytes(8))
    assert all(live.lookup(key(number)) == bytes(8) for number in kept)


def test_lookups_of_user_space_are_no_use(live):
    for _ in range(3):
        live.lookup(key(0))
    for number in range(CAPACITY, 2 * CAPACITY):
        live.update(key(number), bytes(8))
    with pytest.raises(KeyNotFound):
        live.lookup(key(0))


def test_when_all_are_in_use_one_goes_all_the_same(live):
    for number in range(CAPACITY):
        touch(live, number)
    live.update(key(1000), bytes(8))
    assert len(live) == CAPACITY
    assert live.lookup(key(1000)) == bytes(8)


def test_deleted_elements_are_filled_before_any_is_evicted(live):
    for number in range(10):
        live.delete(key(number))
    for number in range(100, 110):
        live.update(key(number), bytes(8))
    assert {int.from_bytes(name, "little") for name, _ in live.items()} == {
        *range(10, CAPACITY),
        *range(100, 110),
    }


def test_a_recent_set_is_found_again_as_often_as_a_true_lru_finds_it():
    """Zipf-like use of 4 times as many keys as there is room for."""
    source = random.Random(5)
    with LiveMap(MapSpec("m", MapType.LRU_HASH, 4, 8, 256)) as live:
        exact: dict[int, None] = {}
        hits = [0, 0]
        for _ in range(20_000):
            number = min(int(source.paretovariate(0.6)), 1024)
            if touch(live, number):
                hits[0] += 1
            else:
                live.update(key(number), bytes(8))
            if number in exact:
                hits[1] += 1
                del exact[number]
            elif len(exact) == 256:
                del exact[next(iter(exact))]
            exact[number] = None
        assert hits[0] > 0.9 * hits[1]
