"""Maps of every type as assembly text and as ELF: read back, they are what they were."""

from dataclasses import replace

import pytest

from beebox.errors import AssemblyError, ObjectError
from beebox.obj.assembly.source import read_assembly
from beebox.obj.assembly.text import write_assembly
from beebox.obj.reader import read
from beebox.obj.writer import write
from beebox.tables.map_types import MapFlags, MapType
from beebox.userspace.kernel import UserspaceKernel

SOURCE = """
.license "GPL"
.map first hash key=4 value=8 max_entries=16
.map flows array_of_maps max_entries=4
.inner flows hash key=4 value=8 max_entries=16
.map tenants hash_of_maps key=6 max_entries=4
.inner tenants array value=8 max_entries=2 flags=0x1000
.map jumps prog_array max_entries=5
.map routes lpm_trie key=8 value=4 max_entries=9 flags=1
.map seen bloom_filter value=16 max_entries=100 extra=3
.map work queue value=8 max_entries=4
.map ports devmap value=8 max_entries=4
.map recent lru_hash key=4 value=8 max_entries=4 flags=2
.map events ringbuf max_entries=4096
.slot flows 2 first
.slot jumps 0 second
.slot jumps 3 main
.section "xdp"
main:
    r0 = 2
    exit
second:
    r0 = 1
    exit
"""


def test_text_reads_back():
    spec = read_assembly(SOURCE)
    assert spec.maps["flows"].inner is not None
    assert spec.maps["flows"].inner.type is MapType.HASH
    assert spec.maps["flows"].slots == ((2, "first"),)
    assert spec.maps["jumps"].slots == ((0, "second"), (3, "main"))
    assert spec.maps["tenants"].inner.flags == MapFlags.INNER_MAP
    assert spec.maps["seen"].extra == 3
    assert spec.maps["work"].key_size == 0
    assert read_assembly(write_assembly(spec)).maps == spec.maps


def test_objects_read_back():
    written = write(read_assembly(SOURCE))
    spec = read(written)
    assert read(write(spec)) == spec
    plain = read_assembly(write_assembly(spec)).maps
    assert plain == read_assembly(SOURCE).maps


@pytest.mark.parametrize(
    ("line", "column"),
    [
        (".map m array_of_maps max_entries=1", 1),
        (".map m hash key=4 value=4 max_entries=1\n.inner m hash key=4 value=4 max_entries=1", 8),
        (".map m prog_array max_entries=1\n.slot m 1 f", 9),
        (".map m prog_array max_entries=1\n.slot m 0 nothing", 1),
        (".map m hash key=4 value=4 max_entries=1\n.slot m 0 f", 9),
        (".slot m 0 f", 7),
        (".map m queue key=4 value=4 max_entries=1", 6),
        (".map m prog_array value=8 max_entries=1", 6),
        (".map m queue value=4", 6),
    ],
)
def test_refusals(line, column):
    with pytest.raises(AssemblyError) as caught:
        read_assembly(line + '\n.section "xdp"\nf: exit\n')
    assert caught.value.column == column


@pytest.mark.parametrize(("name", "held"), [("flows", "main"), ("jumps", "first"), ("jumps", "x")])
def test_slots_of_what_is_not_there(name, held):
    spec = read_assembly(SOURCE)
    changed = replace(spec.maps[name], slots=((0, held),))
    spec = replace(spec, maps={**spec.maps, name: changed})
    with pytest.raises(ObjectError):
        spec.with_slot_programs(("main",))
    with pytest.raises(ObjectError):
        UserspaceKernel().load(spec)


def test_programs_in_slots_are_loaded_along():
    spec = read_assembly(SOURCE)
    assert spec.with_slot_programs(()) == ("second", "main")
    assert spec.with_slot_programs(("main",)) == ("main", "second")


def test_what_only_some_objects_say():
    """Numbers of more than 32 bits, and the type of a program array's values."""
    spec = read_assembly(
        ".map pages arena max_entries=9 flags=mmapable extra=0x100000000000\n"
        ".map later prog_array value=unsigned int max_entries=2\n"
    )
    again = read(write(spec))
    assert again.maps["pages"] == spec.maps["pages"]
    assert again.maps["later"].value_type_id
    assert read(write(again)) == again
