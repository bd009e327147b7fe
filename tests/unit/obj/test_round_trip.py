"""Every object that we have a source of: read, written and read it is the same."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from same_specs import assert_same_object

from beebox import api
from beebox.errors import ObjectError
from beebox.obj import edit, reader, writer
from beebox.obj.model import ObjectSpec
from beebox.obj.static_linker.link import link_objects

ROOT = Path(__file__).parents[3]
SOURCES = sorted(
    str(path.relative_to(ROOT))
    for folder, pattern in (
        ("tests/data/c", "*.c"),
        ("tests/data/c/corpus", "*.c"),
        ("examples", "*.py"),
        ("examples", "*.c"),
    )
    for path in (ROOT / folder).glob(pattern)
    if path.name != "demo.py"  # runs the others
)
LEGACY = "tests/data/c/corpus/legacy_maps.c"  # comes back with its maps defined by BTF


def unnamed(spec: ObjectSpec) -> ObjectSpec:
    functions = {name: replace(row, variables=()) for name, row in spec.functions.items()}
    return replace(spec, functions=functions)


@pytest.mark.parametrize("source", SOURCES)
def test_written_and_linked_it_is_the_same(source: str) -> None:
    """As clang, or our compiler of Python, made it, and as we write it."""
    made = api.object_bytes(ROOT / source)
    spec = reader.read(made, file=source)
    data = writer.write(spec)
    again = reader.read(data, file=source)
    if source == LEGACY:
        assert (again.maps, again.functions) == (spec.maps, spec.functions)
    else:
        assert again == spec
    assert reader.read(writer.write(again), file=source) == again
    assert writer.write(again) == data
    for given in (made, data):
        linked = link_objects([(source, given)])
        assert linked.unresolved == ()
        found = reader.read(linked.data, file=source)
        if source == LEGACY:
            assert found.maps == spec.maps
        else:
            assert_same_object(unnamed(found), unnamed(spec))
    for edited in without_one(spec):
        found = reader.read(writer.write(edited), file=source)
        assert (found.maps, found.functions) == (edited.maps, edited.functions)
        assert (found.externs, found.license) == (edited.externs, edited.license)


def without_one(spec: ObjectSpec) -> Iterator[ObjectSpec]:
    """The object without each of its maps and programs that nothing else needs."""
    for drop, names in ((edit.drop_map, spec.maps), (edit.drop_program, spec.program_names)):
        for name in names:
            try:
                yield drop(spec, name)
            except ObjectError:
                continue
    yield replace(spec, license="", version=0)
