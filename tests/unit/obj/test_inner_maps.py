"""Maps of maps and programs in objects: definitions, first elements, written and read back."""

from __future__ import annotations

from dataclasses import replace

import pytest

from beebox.compiler.source import compile_source
from beebox.errors import ObjectError
from beebox.obj import reader, writer
from beebox.obj.model import INNER
from beebox.tables.map_types import MapType

SOURCE = """
from beebox import (
    ArrayOfMaps, BloomFilter, Hash, HashOfMaps, ProgArray, Queue, XdpAction, XdpContext, struct,
    tail_call, u32, u64, xdp,
)
@struct
class Item:
    a: u32
    b: u64
blue = Hash[u32, u64](max_entries=16)
green = Hash[u32, u64](max_entries=16)
outer = ArrayOfMaps[Hash[u32, u64]](max_entries=4, inner_max_entries=16, maps={1: blue, 3: green})
keyed = HashOfMaps[u64, Queue[Item]](max_entries=4, inner_max_entries=8)
programs = ProgArray(max_entries=8, programs={2: "last", 0: "first"})
bloom = BloomFilter[u32](max_entries=64, hashes=3)
@xdp
def first(ctx: XdpContext) -> XdpAction:
    tail_call(ctx, programs, 2)
    return XdpAction.PASS
@xdp
def last(ctx: XdpContext) -> XdpAction:
    inner = outer[0]
    if inner is None or 1 in bloom:
        return XdpAction.PASS
    inner[1] = 2
    return XdpAction.DROP
"""


@pytest.fixture(scope="module")
def spec():
    return compile_source(SOURCE, file="inner.py")


def test_definitions(spec):
    outer, keyed, bloom = spec.maps["outer"], spec.maps["keyed"], spec.maps["bloom"]
    assert (outer.type, outer.key_size, outer.value_size) == (MapType.ARRAY_OF_MAPS, 4, 4)
    assert outer.inner == replace(spec.maps["blue"], name=f"outer{INNER}")
    assert (keyed.key_size, keyed.inner.type, keyed.inner.value_size) == (8, MapType.QUEUE, 16)
    assert (bloom.extra, bloom.key_size, bloom.value_size) == (3, 0, 4)


def test_first_elements(spec):
    assert spec.maps["outer"].slots == ((1, "blue"), (3, "green"))
    assert spec.maps["programs"].slots == ((0, "first"), (2, "last"))
    assert spec.maps["keyed"].slots == ()


def test_written_objects_read_back_equal(spec):
    assert reader.read(writer.write(spec), file=spec.file) == spec


def test_elements_can_be_put_in_and_taken_out(spec):
    maps = dict(spec.maps)
    maps["programs"] = replace(maps["programs"], slots=((7, "first"),))
    maps["outer"] = replace(maps["outer"], slots=())
    changed = reader.read(writer.write(replace(spec, maps=maps)), file=spec.file)
    assert {name: row.slots for name, row in changed.maps.items()} == {
        name: row.slots for name, row in maps.items()
    }
    assert changed.maps["outer"] == maps["outer"]


def test_elements_without_btf_are_described(spec):
    functions = {"first": replace(spec.functions["first"], type_id=0)}
    maps = {"programs": replace(spec.maps["programs"], slots=((1, "first"),))}
    bare = reader.read(writer.write(replace(spec, functions=functions, maps=maps, btf=None)))
    assert bare.maps["programs"].slots == ((1, "first"),)


def test_an_element_that_is_not_there(spec):
    maps = dict(spec.maps)
    maps["programs"] = replace(maps["programs"], slots=((0, "nobody"),))
    with pytest.raises(ObjectError):
        writer.write(replace(spec, maps=maps))
