"""Live maps as text: what each kind of map shows."""

from __future__ import annotations

import struct

import pytest

from beebox import api
from beebox.cli.contents import entries, names_by_id, prefix_text
from beebox.maps.view import LiveMap
from beebox.obj.model import MapSpec
from beebox.tables.map_types import MapFlags, MapType

OBJECTS = """
.license "GPL"
.map next prog_array max_entries=4
.slot next 2 second
.map outer array_of_maps max_entries=2
.inner outer hash key=4 value=8 max_entries=8
.map table hash key=4 value=8 max_entries=8
.slot outer 1 table
.section "xdp"
.globl first
first:
    r0 = 2
    exit
.globl second
second:
    r0 = 1
    exit
"""


@pytest.mark.parametrize(
    ("key", "text"),
    [
        (struct.pack("<I", 8) + bytes([10, 0, 0, 0]), "10.0.0.0/8"),
        (struct.pack("<I", 32) + b"\x20\x01\x0d\xb8" + bytes(12), "2001:db8::/32"),
        (struct.pack("<I", 3) + b"\xe0", "e0/3"),
    ],
)
def test_prefixes_read_as_people_write_them(key, text):
    assert prefix_text(key) == text
    trie = MapSpec("t", MapType.LPM_TRIE, len(key), 4, 4, MapFlags.NO_PREALLOC)
    with LiveMap(trie) as live:
        live.update(key, b"\1\0\0\0")
        assert entries(live, None, readable=True) == [{"key": text, "value": 1}]


@pytest.mark.parametrize(("kind", "order"), [(MapType.QUEUE, [1, 2]), (MapType.STACK, [2, 1])])
def test_queues_and_stacks_show_what_comes_next(kind, order):
    with LiveMap(MapSpec("q", kind, 0, 4, 4)) as live:
        for number in (1, 2):
            live.push(number.to_bytes(4, "little"))
        rows = entries(live, None)
    assert rows == [{"key": place, "value": value} for place, value in enumerate(order)]


def test_a_bloom_filter_has_nothing_to_list():
    with LiveMap(MapSpec("b", MapType.BLOOM_FILTER, 0, 4, 4)) as live:
        live.push(b"abcd")
        assert entries(live, None) == []


def test_maps_of_objects_show_names(tmp_path):
    path = tmp_path / "objects.s"
    path.write_text(OBJECTS)
    with api.load(path) as live:
        shown = {
            name: entries(live.maps[name], None, names=names_by_id(live, live.maps[name].spec))
            for name in ("next", "outer")
        }
    assert shown["next"] == [{"key": 2, "value": "second"}]
    assert shown["outer"] == [{"key": 1, "value": "table"}]
