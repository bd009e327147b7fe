"""Objects without a compiler: specs written and read back, globals, variable names, refusals."""

from __future__ import annotations

from dataclasses import replace

import pytest

from beebox.btf import codec
from beebox.btf.builder import Builder
from beebox.btf.types import Btf, Int, Linkage, Member, Param, SectionVar, Struct, Var
from beebox.errors import BtfError, MapError, ObjectError
from beebox.isa.codec import encode
from beebox.isa.instruction import (
    Alu,
    Call,
    CallKind,
    Exit,
    GlobalRef,
    Instruction,
    KfuncRef,
    KsymRef,
    LoadImm64,
    MapRef,
    Reg,
    SubprogRef,
)
from beebox.obj import elf, maps, reader, variables, writer
from beebox.obj.elf import Relocation, Section, SectionFlag, SectionType, Symbol, SymbolBind
from beebox.obj.globals import get_global, global_names, set_global
from beebox.obj.map_descriptions import describe
from beebox.obj.map_rules import check_spec
from beebox.obj.model import FunctionSpec, LineInfo, MapSpec, ObjectSpec, VarRange
from beebox.tables.map_types import MapFlags, MapType
from beebox.tables.opcodes import AluOp

CODE = encode([Alu(AluOp.MOV, Reg.R0, 0), Exit()])


def whole() -> ObjectSpec:
    """Everything that a spec can hold."""
    builder = Builder()
    number = builder.unsigned(4)
    variable = builder.variable("limit", number)
    hidden = builder.variable("hidden", builder.unsigned(8), Linkage.STATIC)
    zeros = builder.variable("zeros", builder.bytes(10))
    builder.section(".rodata", 4, (SectionVar(variable, 0, 4),))
    builder.section(".data", 8, (SectionVar(hidden, 0, 8),))
    builder.section(".bss", 10, (SectionVar(zeros, 0, 10),))
    main = builder.function("main", number, (Param("ctx", builder.pointer(0)),), Linkage.GLOBAL)
    btf = describe(
        builder.build(),
        {"m": MapSpec("m", MapType.HASH, 4, 6, 9, flags=MapFlags.NO_PREALLOC)},
    )
    assert btf is not None
    rows = maps.defined_maps(btf, file="")
    for name, contents in ((".rodata", b"\7\0\0\0"), (".data", b"12345678"), (".bss", bytes(10))):
        rows[name] = maps.global_data_map(name, contents, btf)
    body: tuple[Instruction, ...] = (
        LoadImm64(Reg.R1, MapRef("m")),
        LoadImm64(Reg.R2, GlobalRef(".rodata", 0)),
        LoadImm64(Reg.R3, GlobalRef(".bss", 9)),
        LoadImm64(Reg.R4, 1 << 63),
        Call(CallKind.SUBPROG, SubprogRef("static")),
        Call(CallKind.SUBPROG, SubprogRef("global")),
        Exit(),
    )
    functions = (
        FunctionSpec(
            "main",
            "xdp",
            body,
            lines=(LineInfo(0, "a.py", 3, 5, "    x = é"), LineInfo(8, "a.py", 4, 0, "")),
            type_id=main,
            variables=(VarRange(0, 3, "x", reg=6), VarRange(1, 11, "key", stack_offset=-8)),
        ),
        FunctionSpec("other", "xdp", (Call(CallKind.SUBPROG, SubprogRef("own")), Exit())),
        FunctionSpec("own", "xdp", (Exit(),), is_global=False),
        FunctionSpec("global", ".text", (Call(CallKind.SUBPROG, SubprogRef("static")), Exit())),
        FunctionSpec("static", ".text", (Exit(),), is_global=False),
        FunctionSpec("frags", "xdp.frags", (LoadImm64(Reg.R1, SubprogRef("static")), Exit())),
    )
    return ObjectSpec({f.name: f for f in functions}, rows, "Dual MIT/GPL", btf, version=7)


def test_written_and_read_back() -> None:
    data = writer.write(whole())
    assert reader.read(data) == whole()
    assert writer.write(reader.read(data)) == data


def test_an_object_without_types() -> None:
    bare = ObjectSpec({"p": FunctionSpec("p", "xdp", (Exit(),))}, license="GPL")
    assert reader.read(writer.write(bare)) == bare


def test_maps_without_types_stay_without() -> None:
    spec = MapSpec("m", MapType.PERCPU_ARRAY, 4, 24, 3)
    body = (LoadImm64(Reg.R1, MapRef("m")), Exit())
    bare = ObjectSpec({"p": FunctionSpec("p", "xdp", body)}, {"m": spec})
    found = reader.read(writer.write(bare))
    assert found.maps["m"] == spec


def test_edited_maps_are_described_anew() -> None:
    spec = whole()
    edited = replace(spec, maps={**spec.maps, "m": replace(spec.maps["m"], max_entries=77)})
    found = reader.read(writer.write(edited))
    assert found.maps["m"] == edited.maps["m"]
    assert found.functions == spec.functions


def test_a_map_taken_out() -> None:
    spec = whole()
    main = replace(spec.functions["main"], insns=(Exit(),), lines=(), variables=())
    kept = {name: row for name, row in spec.maps.items() if name != "m"}
    found = reader.read(
        writer.write(replace(spec, maps=kept, functions={**spec.functions, "main": main}))
    )
    assert "m" not in found.maps


def test_globals_are_set_by_type() -> None:
    spec = whole()
    assert global_names(spec) == ("limit", "hidden", "zeros")
    assert get_global(spec, "limit") == 7
    changed = set_global(set_global(spec, "limit", 443), "hidden", 1)
    assert changed.maps[".rodata"].contents == b"\xbb\1\0\0"
    assert get_global(reader.read(writer.write(changed)), "hidden") == 1
    assert get_global(spec, "limit") == 7
    with pytest.raises(BtfError):
        set_global(spec, "limit", -1)
    with pytest.raises(ObjectError):
        set_global(spec, "missing", 1)


def test_two_variables_of_one_name() -> None:
    spec = whole()
    builder = Builder(spec.btf)
    same = builder.variable("limit", builder.unsigned(2))
    builder.section(".data", 8, (SectionVar(same, 0, 2), SectionVar(same, 4, 2)))
    with pytest.raises(ObjectError) as caught:
        reader.read(writer.write(replace(spec, btf=builder.build())))
    assert caught.value.section == ".data"


@pytest.mark.parametrize("text", ["", "GPL", "Dual MIT/GPL"])
def test_licenses(text: str) -> None:
    spec = replace(whole(), license=text)
    assert reader.read(writer.write(spec)) == spec


def test_bss_stays_zero_in_elf() -> None:
    with pytest.raises(ObjectError):
        writer.write(set_global(whole(), "zeros", b"\1" * 10))


@pytest.mark.parametrize(
    "insn",
    [
        LoadImm64(Reg.R1, MapRef("missing")),
        LoadImm64(Reg.R1, GlobalRef(".data", 0)),
        LoadImm64(Reg.R1, KsymRef("missing")),
        Call(CallKind.SUBPROG, SubprogRef("missing")),
        Call(CallKind.KFUNC, KfuncRef("missing")),
    ],
)
def test_what_cannot_be_written(insn: Instruction) -> None:
    with pytest.raises(ObjectError, match=r"missing|\.data"):
        writer.write(ObjectSpec({"p": FunctionSpec("p", "xdp", (insn, Exit()))}))


def program(**changes: object) -> ObjectSpec:
    """Read all of an object: a program, 16 bytes long, one more section and one relocation."""
    sections = [
        Section("xdp", SectionType.PROGBITS, SectionFlag.EXECINSTR, changes.get("code", CODE)),  # type: ignore[arg-type]  # one of bytes
        changes.get("section", Section("license", SectionType.PROGBITS, data=b"GPL\0")),
    ]
    symbols = [
        Symbol("p", elf.SymbolType.FUNC, SymbolBind.GLOBAL, 1, 0, changes.get("size", 16)),  # type: ignore[arg-type]  # one of int
        changes.get("symbol", Symbol("x", elf.SymbolType.OBJECT, SymbolBind.GLOBAL, 2)),
    ]
    relocations = {1: changes.get("relocations", [])}
    spec = reader.read(elf.write(sections, symbols, relocations))  # type: ignore[arg-type]  # built above
    return replace(spec, functions=dict(spec.functions))


def test_the_smallest_object() -> None:
    found = program()
    assert found.license == "GPL"
    assert found.functions["p"].insns == (Alu(AluOp.MOV, Reg.R0, 0), Exit())


LOAD = encode([LoadImm64(Reg.R1, 0)])
EXTERN = Symbol("bpf_ktime", elf.SymbolType.NOTYPE, SymbolBind.GLOBAL, 0)
CALL = encode([Call(CallKind.SUBPROG, -1), Exit()])


@pytest.mark.parametrize(
    "changes",
    [
        {"size": 12},
        {"size": 24},
        {"size": 0},
        {"section": Section("maps", SectionType.PROGBITS, data=bytes(20))},
        {"section": Section(".maps", SectionType.PROGBITS, data=bytes(20))},
        {"section": Section("version", SectionType.PROGBITS, data=b"123")},
        {"section": Section(".data", SectionType.PROGBITS, SectionFlag.COMPRESSED, data=b"123")},
        {"section": Section("license", SectionType.PROGBITS, data=b"\xff\0")},
        {"section": Section(".BTF", SectionType.PROGBITS, data=b"123")},
        {"section": Section(".struct_ops", SectionType.PROGBITS, data=b"123")},
        {"relocations": [Relocation(0, 1, 2)]},
        {"code": LOAD, "relocations": [Relocation(4, 1, 2)]},
        {"code": LOAD, "relocations": [Relocation(0, 10, 2)]},
        {"code": LOAD, "relocations": [Relocation(0, 1, 2)]},
        {"code": LOAD, "relocations": [Relocation(0, 1, 2)], "symbol": EXTERN},
        {"code": CALL, "relocations": [Relocation(0, 10, 2)], "symbol": EXTERN},
        {"code": encode([Call(CallKind.SUBPROG, 0), Exit()])},
        {"code": encode([Call(CallKind.KFUNC, 7), Exit()])},
    ],
)
def test_refused_objects(changes: dict[str, object]) -> None:
    with pytest.raises((ObjectError, BtfError)):
        program(**changes)


def definition(*fields: tuple[str, int]) -> Btf:
    """A ``.maps`` entry with these fields, numbers by ``int[N]``."""
    builder = Builder()
    members = tuple(
        Member(name, builder.pointer(builder.array(builder.signed_int(), number)), 64 * at)
        for at, (name, number) in enumerate(fields)
    )
    builder.variable("m", builder.struct("", 8 * len(members), members))
    return builder.build()


GOOD = (("type", 1), ("max_entries", 5), ("key_size", 4), ("value_size", 8))


@pytest.mark.parametrize(
    "fields",
    [
        GOOD[1:],
        (*GOOD, ("pinning", 2)),
        (*GOOD, ("type", 1)),
        (*GOOD, ("unheard_of", 1)),
        (("type", 99), *GOOD[1:]),
    ],
)
def test_refused_maps(fields: tuple[tuple[str, int], ...]) -> None:
    btf = definition(*GOOD)
    assert maps.definition(btf, "m", len(btf)).value_size == 8
    btf = definition(*fields)
    with pytest.raises(ObjectError):
        maps.definition(btf, "m", len(btf))


@pytest.mark.parametrize(
    "fields",
    [
        GOOD[:1] + GOOD[2:],
        GOOD[:2] + GOOD[3:],
        GOOD[:3],
        (*GOOD, ("map_flags", 1 << 12)),
        (("type", 2), ("max_entries", 5), ("key_size", 8), ("value_size", 8)),
        (*GOOD[:3], ("value_size", 0xFFFFFFFF)),
    ],
)
def test_what_no_kernel_makes_can_still_be_changed(fields: tuple[tuple[str, int], ...]) -> None:
    """Many objects leave sizes to whoever loads them: only making such a map is an error."""
    btf = definition(*fields)
    with pytest.raises(MapError):
        check_spec(maps.definition(btf, "m", len(btf)))


def test_a_map_that_is_no_struct() -> None:
    btf = Btf((Int("int", 4, 32), Var("m", 1), Struct("", 8, (Member("type", 1, 0),)), Var("n", 3)))
    assert codec.parse(codec.encode(btf)) == btf
    for type_id in (1, 2, 4):
        with pytest.raises(ObjectError):
            maps.definition(btf, "m", type_id)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff",
        b"[]",
        b"[" * 100_000,
        b'{"version":2,"functions":{}}',
        b'{"version":1,"functions":[]}',
        b'{"version":1,"functions":{"f":3}}',
        b'{"version":1,"functions":{"f":[["x",0,1]]}}',
        b'{"version":1,"functions":{"f":[["x",1,1,"r1"]]}}',
        b'{"version":1,"functions":{"f":[["x",0,1,"r11"]]}}',
        b'{"version":1,"functions":{"f":[["x",0,1,8]]}}',
        b'{"version":1,"functions":{"f":[["x",0,1,true]]}}',
        b'{"version":1,"functions":{"f":[["x",0,1,-513]]}}',
        b'{"version":1,"functions":{"f":[[5,0,1,"r1"]]}}',
    ],
)
def test_malformed_variable_names(data: bytes) -> None:
    with pytest.raises(ObjectError):
        variables.parse(data)


@pytest.mark.parametrize(
    "section",
    [
        Section(".eh_frame", SectionType.PROGBITS, data=b"123"),
        Section("xdp_metadata", SectionType.PROGBITS, data=b"123"),
        Section(".debug_info", SectionType.PROGBITS, SectionFlag.COMPRESSED, data=b"123"),
        Section(".rela.text", SectionType.RELA, data=b"123"),
        Section(".bss", SectionType.PROGBITS, data=b"123"),
        Section("maps", SectionType.PROGBITS),
        Section(".anything", 0x6FFF4C03, data=b"123"),
    ],
    ids=lambda section: section.name,
)
def test_sections_that_mean_nothing_are_passed_over(section: Section) -> None:
    found = program(section=section)
    assert found.maps == {}
    assert set(found.functions) == {"p"}


def test_code_outside_of_functions_is_dead() -> None:
    """Linkers leave weak functions there that another object's replaced."""
    found = program(size=8)
    assert found.functions["p"].insns == (Alu(AluOp.MOV, Reg.R0, 0),)


def test_relocations_as_gas_writes_them() -> None:
    """GCC's objects: local functions by their own symbols, addends over both halves of a load."""
    body = [
        LoadImm64(Reg.R1, 0xFFFF_FFFF_FFFF_FFF8),  # -8, from a symbol behind what is meant
        Call(CallKind.SUBPROG, -1),
        Exit(),
    ]
    sections = [
        Section(".text", SectionType.PROGBITS, SectionFlag.EXECINSTR, encode([Exit(), Exit()])),
        Section("xdp", SectionType.PROGBITS, SectionFlag.EXECINSTR, encode(body)),
        Section(".rodata", SectionType.PROGBITS, SectionFlag.ALLOC, bytes(range(16))),
    ]
    symbols = [
        Symbol("first", elf.SymbolType.FUNC, SymbolBind.LOCAL, 1, 0, 8),
        Symbol("second", elf.SymbolType.FUNC, SymbolBind.LOCAL, 1, 8, 8),
        Symbol("main", elf.SymbolType.FUNC, SymbolBind.GLOBAL, 2, 0, 32),
        Symbol("table", elf.SymbolType.OBJECT, SymbolBind.LOCAL, 3, 12, 4),
    ]
    relocations = {2: [Relocation(0, 1, 4), Relocation(16, 10, 2)]}
    spec = reader.read(elf.write(sections, symbols, relocations))
    assert spec.functions["main"].insns == (
        LoadImm64(Reg.R1, GlobalRef(".rodata", 4)),
        Call(CallKind.SUBPROG, SubprogRef("second")),
        Exit(),
    )


def test_two_names_of_one_function() -> None:
    """Compilers merge equal functions; the second name is the first's code again."""
    alias = Symbol("q", elf.SymbolType.FUNC, SymbolBind.GLOBAL, 1, 0, 16)
    found = program(symbol=alias)
    assert found.functions["q"].insns == found.functions["p"].insns
    assert found.program_names == ("p", "q")
    with pytest.raises(ObjectError):
        program(symbol=replace(alias, value=8, size=8))
