"""Specs edited before load: what follows a change, what is refused; written and read back."""

from __future__ import annotations

from dataclasses import replace

import pytest
from c_objects import compile_c

from beebox.errors import BtfError, ObjectError
from beebox.isa.instruction import Call, GlobalRef, LoadImm64, MapRef, SubprogRef
from beebox.obj import edit, reader, writer
from beebox.obj.globals import get_global
from beebox.obj.linker import link
from beebox.obj.model import INNER, Pinning
from beebox.tables.map_types import MapFlags, MapType
from beebox.tables.program_types import AttachType, ProgramType

SOURCE = """
struct inner { __uint(type, 2); __uint(max_entries, 1); __type(key, int); __type(value, int); };
struct inner one SEC(".maps");
struct { __uint(type, 12); __uint(max_entries, 8); __uint(key_size, 4);
         __array(values, struct inner); } outer SEC(".maps") = { .values = { [5] = &one } };
struct { __uint(type, 1); __uint(max_entries, 16); __type(key, __u32); __type(value, __u64); }
    table SEC(".maps");
struct { __uint(type, 27); __uint(max_entries, 4096); } ring SEC(".maps");
int last(void *c);
struct { __uint(type, 3); __uint(max_entries, 4); __uint(key_size, 4);
         __array(values, int (void *));
} jumps SEC(".maps") = { .values = { [2] = (void *)&last } };
struct ops { int (*run)(void *); int number; };
SEC("struct_ops/run") int run(void *c) { return 0; }
SEC(".struct_ops") struct ops ops = { (void *)run, 7 };
const volatile __u32 limit = 1;
const volatile struct { int low, high; } range = { 1, 2 };
__u64 total;
static __noinline int shared(int x) { asm volatile(""); return x + limit + range.low; }
static __noinline int private(int x) { asm volatile(""); return x * 3; }
__noinline int thrown(__u64 cookie) { return cookie; }
SEC("xdp") int first(void *c)
{
    __u32 key = 0;
    total++;
    return bpf_map_lookup_elem(&table, &key) ? shared(1) : private(2);
}
SEC("fentry/do_nanosleep") int second(void *c) { return shared(3); }
SEC("xdp") __tag("exception_callback:thrown") int third(void *c) { return 1; }
SEC("xdp") int last(void *c) { return bpf_map_lookup_elem(&outer, c) ? 1 : 2; }
"""


@pytest.fixture(scope="module")
def spec():
    return reader.read(compile_c(SOURCE))


def operands(spec, name):
    return [insn.value for insn in spec.functions[name].insns if isinstance(insn, LoadImm64)] + [
        insn.target for insn in spec.functions[name].insns if isinstance(insn, Call)
    ]


def again(spec):
    """Written and read back: equal, whatever was edited."""
    found = reader.read(writer.write(spec), file=spec.file)
    assert {
        name: replace(row, key_type_id=0, value_type_id=0) for name, row in found.maps.items()
    } == {name: replace(row, key_type_id=0, value_type_id=0) for name, row in spec.maps.items()}
    assert {name: row.insns for name, row in found.functions.items()} == {
        name: row.insns for name, row in spec.functions.items()
    }
    assert found.sections == spec.sections
    return found


def test_the_spec_itself_is_untouched(spec):
    before = reader.read(compile_c(SOURCE))
    edit.rename_map(spec, "table", "other")
    edit.rename_program(spec, "first", "other")
    edit.drop_program(spec, "first")
    edit.rewrite_constants(spec, {"limit": 5})
    assert spec == before


def test_rename_a_map(spec):
    renamed = edit.rename_map(spec, "table", "flows")
    assert list(renamed.maps) == ["flows" if name == "table" else name for name in spec.maps]
    assert MapRef("flows") in operands(renamed, "first")
    assert MapRef("table") not in operands(renamed, "first")
    found = again(renamed)
    assert found.maps["flows"].value_size == 8
    assert set(link(found, "first").maps) >= {"flows"}


def test_slots_and_templates_follow_a_renamed_map(spec):
    renamed = edit.rename_map(edit.rename_map(spec, "one", "uno"), "outer", "outside")
    assert renamed.maps["outside"].slots == ((5, "uno"),)
    assert renamed.maps["outside"].inner.name == f"outside{INNER}"
    again(renamed)


def test_variables_follow_a_renamed_arena():
    arena = reader.read(
        compile_c(
            """
            struct { __uint(type, 33); __uint(map_flags, 1024); __uint(max_entries, 2); } arena
                SEC(".maps");
            int __attribute__((address_space(1))) x = 3;
            SEC("syscall") int p(void *c) { return x; }
            """
        )
    )
    renamed = edit.rename_map(arena, "arena", "heap")
    assert operands(renamed, "p") == [GlobalRef("heap", 0)]
    assert get_global(renamed, "x") == 3
    again(renamed)


def test_resize_a_map(spec):
    assert edit.resize_map(spec, "table", 1000).maps["table"].max_entries == 1000
    assert edit.resize_map(spec, "ring", 5000).maps["ring"].max_entries == 8192
    assert again(edit.resize_map(spec, "outer", 6)).maps["outer"].max_entries == 6
    with pytest.raises(ObjectError, match="slot 5"):
        edit.resize_map(spec, "outer", 5)
    with pytest.raises(ObjectError):
        edit.resize_map(spec, "table", 1 << 32)


def test_change_a_map(spec):
    changed = edit.change_map(
        spec,
        "table",
        type=MapType.LRU_HASH,
        flags=MapFlags.NO_COMMON_LRU,
        pinning=Pinning.BY_NAME,
        value_size=16,
    )
    row = again(changed).maps["table"]
    assert (row.type, row.flags) == (MapType.LRU_HASH, MapFlags.NO_COMMON_LRU)
    assert (row.pinning, row.value_size) == (Pinning.BY_NAME, 16)
    assert changed.maps["table"].key_type_id == spec.maps["table"].key_type_id
    assert changed.maps["table"].value_type_id == 0
    assert again(edit.change_map(spec, "ops", autocreate=False)).maps["ops"].autocreate is False
    with pytest.raises(ObjectError, match="fixed"):
        edit.change_map(spec, ".bss", value_size=16)


def test_replace_and_drop_a_map(spec):
    other = replace(spec.maps["jumps"], slots=())
    assert again(edit.replace_map(spec, other)).maps["jumps"].slots == ()
    with pytest.raises(ObjectError, match="contents"):
        edit.replace_map(spec, replace(spec.maps["table"], contents=bytes(8)))
    with pytest.raises(ObjectError, match="shorter"):
        edit.replace_map(spec, replace(spec.maps[".bss"], contents=b""))
    assert "ring" not in again(edit.drop_map(spec, "ring")).maps
    with pytest.raises(ObjectError, match="first"):
        edit.drop_map(spec, "table")
    with pytest.raises(ObjectError, match="outer"):
        edit.drop_map(spec, "one")


def test_rewrite_constants(spec):
    changed = edit.rewrite_constants(spec, {"limit": 9, "range": {"low": 3, "high": 4}})
    assert get_global(changed, "limit") == 9
    assert get_global(again(changed), "range") == {"low": 3, "high": 4}
    with pytest.raises(ObjectError, match="total"):
        edit.rewrite_constants(spec, {"total": 9})
    with pytest.raises(BtfError) as caught:
        edit.rewrite_constants(spec, {"limit": -1})
    assert caught.value.where == "variable limit"


def test_rename_a_program(spec):
    renamed = edit.rename_program(spec, "last", "final")
    assert renamed.maps["jumps"].slots == ((2, "final"),)
    assert "last" not in renamed.program_names
    type_id = renamed.functions["final"].type_id
    assert renamed.btf.type(type_id).name == "final"
    assert again(renamed).functions["final"].insns == spec.functions["last"].insns
    assert edit.rename_program(spec, "run", "go").maps["ops"].slots == ((0, "go"),)


def test_rename_a_subprogram(spec):
    renamed = edit.rename_program(spec, "shared", "common")
    for name in ("first", "second"):
        assert SubprogRef("common") in operands(renamed, name)
        assert {row.name for row in link(renamed, name).functions} >= {name, "common"}
    caught = edit.rename_program(spec, "thrown", "caught")
    assert [row.name for row in link(caught, "third").functions] == ["third", "caught"]


def test_drop_a_program(spec):
    dropped = edit.drop_program(spec, "first")
    assert "first" not in dropped.functions
    assert "private" not in dropped.functions  # nobody else called it
    assert {"shared", "second"} <= set(dropped.functions)
    again(dropped)
    with pytest.raises(ObjectError, match="slot 2"):
        edit.drop_program(spec, "last")
    with pytest.raises(ObjectError, match="ops"):
        edit.drop_program(spec, "run")
    with pytest.raises(ObjectError):
        edit.drop_program(spec, "shared")


def test_what_loads_and_where_it_attaches(spec):
    waiting = edit.set_autoload(spec, "first", False)
    assert waiting.sections["first"] == "?xdp"
    assert "first" not in waiting.autoload_names
    assert edit.set_autoload(waiting, "first", True).sections["first"] == "xdp"
    moved = edit.set_attach_target(spec, "second", "vfs_read")
    assert link(moved, "second").attach_to == "vfs_read"
    again(moved)
    with pytest.raises(ObjectError, match="attaches"):
        edit.set_attach_target(edit.set_section(spec, "first", "tc"), "first", "eth0")


def test_another_type(spec):
    frags = edit.set_section(spec, "first", "xdp.frags")
    assert link(frags, "first").flags
    exits = edit.set_type(spec, "second", ProgramType.TRACING, AttachType.TRACE_FEXIT)
    assert exits.sections["second"] == "fexit/do_nanosleep"
    assert link(exits, "second").attach_type is AttachType.TRACE_FEXIT
    classifier = edit.set_type(spec, "second", ProgramType.SCHED_CLS, AttachType.TCX_EGRESS)
    program = link(again(classifier), "second")
    assert (program.type, program.attach_type) == (
        ProgramType.SCHED_CLS,
        AttachType.TCX_EGRESS,
    )
    waiting = edit.set_type(edit.set_autoload(spec, "first", False), "first", ProgramType.SK_MSG)
    assert waiting.sections["first"] == "?sk_msg"
    with pytest.raises(ObjectError):
        edit.set_type(spec, "first", ProgramType.XDP, AttachType.TCX_EGRESS)
    with pytest.raises(ObjectError, match="nonsense"):
        edit.set_section(spec, "first", "nonsense")


def test_license(spec):
    assert again(edit.set_license(spec, "Dual MIT/GPL")).license == "Dual MIT/GPL"
    with pytest.raises(ObjectError):
        edit.set_license(spec, "GPL\0")


@pytest.mark.parametrize(
    "change",
    [
        lambda spec: edit.rename_map(spec, "nobody", "x"),
        lambda spec: edit.rename_map(spec, "table", "ring"),
        lambda spec: edit.rename_map(spec, "table", "first"),
        lambda spec: edit.rename_map(spec, "table", ""),
        lambda spec: edit.rename_map(spec, "table", "a b"),
        lambda spec: edit.rename_map(spec, ".rodata", "constants"),
        lambda spec: edit.rename_program(spec, "nobody", "x"),
        lambda spec: edit.rename_program(spec, "first", "table"),
        lambda spec: edit.drop_program(spec, "nobody"),
        lambda spec: edit.drop_map(spec, "nobody"),
        lambda spec: edit.set_autoload(spec, "shared", True),
    ],
)
def test_refused(spec, change):
    with pytest.raises(ObjectError):
        change(spec)


def test_a_change_of_one_program_decodes_no_other():
    """Else editing a large object would cost as much as loading all of it."""
    spec = reader.read(compile_c(SOURCE))
    changed = edit.set_autoload(edit.set_attach_target(spec, "second", "x"), "first", False)
    made = spec.functions._made
    assert not made
    assert changed.functions["first"].section == "?xdp"
    assert set(made) == {"first"}
