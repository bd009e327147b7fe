"""What clang emits for the C fixtures, read, linked, written and read back."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable
from dataclasses import replace

import pytest

from beebox.btf import codec, ext, values, wire
from beebox.btf.strings import StringTable
from beebox.errors import ObjectError
from beebox.isa.codec import encode
from beebox.isa.instruction import Call, CallKind, GlobalRef, LoadImm64, MapRef
from beebox.obj import reader, writer
from beebox.obj.elf import read as read_elf
from beebox.obj.globals import get_global, global_names, set_global
from beebox.obj.linker import link
from beebox.tables.map_types import MapFlags, MapType

NAMES = ("count", "globals", "kinds")
Compile = Callable[..., bytes]


@pytest.mark.parametrize("cpu", ["v1", "v3"])
@pytest.mark.parametrize("name", NAMES)
def test_written_and_read_back(clang_object: Compile, name: str, cpu: str) -> None:
    spec = reader.read(clang_object(name, f"-mcpu={cpu}"))
    data = writer.write(spec)
    assert reader.read(data) == spec
    assert writer.write(reader.read(data)) == data


@pytest.mark.parametrize("name", NAMES)
def test_types_come_back_to_the_byte(clang_object: Compile, name: str) -> None:
    elf = read_elf(clang_object(name))
    raw = elf.sections[elf.find(".BTF") or 0].contents
    tables = elf.sections[elf.find(".BTF.ext") or 0].contents
    _, strings = wire.sections(raw)
    again = StringTable(strings.data)
    assert ext.encode(ext.parse(tables, strings), again) == tables
    assert codec.encode(codec.parse(raw), again) == raw


def test_a_typed_map(clang_object: Compile) -> None:
    spec = reader.read(clang_object("count"))
    row = spec.maps["counters"]
    assert (row.type, row.key_size, row.value_size) == (MapType.HASH, 4, 16)
    assert (row.max_entries, row.flags) == (64, MapFlags.NO_PREALLOC)
    assert spec.btf is not None
    raw = (1).to_bytes(8, "little") + (60).to_bytes(8, "little")
    assert values.decode(spec.btf, row.value_type_id, raw) == {"packets": 1, "bytes": 60}
    assert spec.license == "GPL"
    assert spec.program_names == ("count",)


def test_lines_and_types(clang_object: Compile) -> None:
    function = reader.read(clang_object("count")).functions["count"]
    assert function.type_id
    assert function.lines[0].pc == 0
    assert all(line.file.endswith("count.c") for line in function.lines)
    lookup = next(line for line in function.lines if "bpf_map_lookup_elem" in line.text)
    assert (lookup.line, lookup.column) == (24, 26)


def test_variable_places(clang_object: Compile) -> None:
    """Against the code: ``key`` lies where its address is taken, ``found`` is what lookup gave."""
    function = reader.read(clang_object("count")).functions["count"]
    places = {(row.name, row.reg, row.stack_offset) for row in function.variables}
    assert ("ctx", 1, None) in places
    assert ("key", None, -4) in places
    assert ("found", 0, None) in places
    assert ("fresh", None, -24) in places


def test_data_sections(clang_object: Compile) -> None:
    spec = reader.read(clang_object("globals"))
    assert set(spec.maps) >= {"sums", ".rodata", ".data", ".bss"}
    assert spec.maps[".rodata"].frozen
    assert not spec.maps[".data"].frozen
    assert set(global_names(spec)) >= {"limit", "limits", "label", "total", "hidden", "seen"}
    assert get_global(spec, "limits") == {"ports": [80, 443, 0, 0], "strict": True, "bias": -5}
    assert get_global(spec, "label") == "eth"
    assert get_global(spec, "total") == 5
    changed = set_global(spec, "limits", {"ports": [1], "bias": -1})
    assert get_global(changed, "limits") == {"ports": [1, 0, 0, 0], "strict": False, "bias": -1}


def test_calls_resolve(clang_object: Compile) -> None:
    """Three kinds of call: within .text, to a static function, to a global one."""
    spec = reader.read(clang_object("globals"))
    first, second = link(spec, "first"), link(spec, "second")
    assert {row.name for row in first.functions} == {"first", "tally", "within"}
    assert {row.name for row in second.functions} == {"second", "within"}
    for program in (first, second):
        starts = {row.pc for row in program.functions}
        called = {
            pc + 1 + insn.target
            for pc, insn in enumerate(program.slots)
            if isinstance(insn, Call)
            and insn.kind is CallKind.SUBPROG
            and isinstance(insn.target, int)
        }
        assert called == starts - {0}


def test_only_maps_and_globals_stay_symbolic(clang_object: Compile) -> None:
    program = link(reader.read(clang_object("globals")), "first")
    loads = [insn for insn in program.insns if isinstance(insn, LoadImm64)]
    assert {type(insn.value) for insn in loads} == {MapRef, GlobalRef}
    assert encode([insn for insn in program.insns if insn not in loads])


def test_values_of_every_kind(clang_object: Compile) -> None:
    spec = reader.read(clang_object("kinds"))
    mixed = get_global(spec, "mixed")
    assert isinstance(mixed, dict)
    assert (mixed["port"], mixed["colour"], mixed["name"]) == (8080, "GREEN", "mixed")
    assert mixed["far"] == -2
    assert (
        get_global(spec, "nodes")
        == [{"next": 0, "name": 0, "hits": 0, "opaque": 0, "compare": 0}] * 2
    )


def test_without_debug_info_maps_have_no_definition(clang_object: Compile) -> None:
    with pytest.raises(ObjectError) as caught:
        reader.read(clang_object("count", "-g0"))
    assert caught.value.section == ".maps"


def test_malformed_dwarf_costs_names_only(clang_object: Compile) -> None:
    """Whatever the debug sections hold, the rest of the object reads the same."""
    data = clang_object("count")
    whole = reader.read(data)
    stripped = {name: replace(row, variables=()) for name, row in whole.functions.items()}
    dice = random.Random(7)
    (headers,) = struct.unpack_from("<Q", data, 40)
    places = [
        struct.unpack_from("<QQ", data, headers + 64 * index + 24)
        for index, section in enumerate(read_elf(data).sections)
        if section.name.startswith(".debug_")
    ]
    lost = 0
    for _ in range(300):
        mutant = bytearray(data)
        for _ in range(dice.choice([1, 4, 16])):
            start, size = dice.choice(places)
            mutant[start + dice.randrange(size)] = dice.randrange(256)
        found = reader.read(bytes(mutant))
        assert found.maps == whole.maps
        functions = {name: replace(row, variables=()) for name, row in found.functions.items()}
        assert functions == stripped
        lost += found.functions["count"].variables != whole.functions["count"].variables
    assert 0 < lost < 300
