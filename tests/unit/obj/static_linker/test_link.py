"""One object from several: every rule, and beside it what bpftool makes of the same objects."""

from __future__ import annotations

import random
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from c_objects import PRELUDE, compile_c
from same_specs import assert_same_object

from beebox.btf import codec, ext, wire
from beebox.btf.builder import Builder
from beebox.btf.compatible import difference
from beebox.btf.types import Btf, Datasec, Func, Linkage, Param, SectionVar, Var
from beebox.errors import InputError, LinkError, ObjectError
from beebox.isa.codec import encode
from beebox.isa.instruction import Call, CallKind, Exit, GlobalRef, LoadImm64, Reg, SubprogRef
from beebox.obj import maps, reader, writer
from beebox.obj.elf import Section, SectionType, Symbol, SymbolBind, SymbolType, Visibility
from beebox.obj.elf import read as read_elf
from beebox.obj.elf import write as write_elf
from beebox.obj.globals import get_global
from beebox.obj.model import ExternKind, FunctionSpec, ObjectSpec, VarRange
from beebox.obj.static_linker.link import link_objects

DATA = Path(__file__).parents[3] / "data/linking"
CALL = 'extern int f(int x); SEC("xdp") int a(void *c) { return f(1); }'
ALONE = " (bpftool links it)"


def read_cases(name: str) -> dict[str, tuple[str, ...]]:
    """``=== title``, then the sources of the objects, between lines of ``---``."""
    found = {}
    for case in (DATA / name).read_text().removeprefix("=== ").split("\n=== "):
        title, _, body = case.partition("\n")
        found[title] = tuple(body.split("\n---\n"))
    return found


ACCEPTED = read_cases("accepted.case")
REFUSED = read_cases("refused.case")


def compiled(parts: tuple[str, ...]) -> list[tuple[str, bytes]]:
    """The objects of ``parts``, named by their places."""
    out = []
    for index, part in enumerate(parts):
        text = "MIT" if part.startswith("/* MIT */") else "GPL"
        data = compile_c(part, prelude=PRELUDE.replace('"GPL"', f'"{text}"'))
        out.append((f"{index}.o", data))
    return out


@pytest.fixture
def bpftool(tmp_path: Path):
    """``bpftool gen object``: the linked object, None where it refuses."""
    tool = shutil.which("bpftool")
    if tool is None:
        pytest.skip("bpftool not found")

    def run(inputs: list[tuple[str, bytes]]) -> bytes | None:
        for name, data in inputs:
            (tmp_path / name).write_bytes(data)
        out = tmp_path / "out.o"
        names = [str(tmp_path / name) for name, _ in inputs]
        done = subprocess.run(
            [tool, "gen", "object", out, *names], check=False, capture_output=True
        )
        return out.read_bytes() if done.returncode == 0 else None

    return run


def types_of(data: bytes) -> tuple[Btf, ext.Ext]:
    """The types and records of a linked object, in which nothing is left to relocate."""
    elf = read_elf(data)
    raw = elf.sections[elf.find(".BTF") or 0].contents
    tables = elf.find(".BTF.ext")
    if tables is None:
        return codec.parse(raw), ext.Ext()
    return codec.parse(raw), ext.parse(elf.sections[tables].contents, wire.sections(raw)[1])


def shape(data: bytes) -> dict[str, object]:
    """All of an object but its types, with names for indices."""
    elf = read_elf(data)
    names = [section.name for section in elf.sections]
    shown = {}
    for section in elf.sections:
        if section.type in {1, 8} and not section.name.startswith((".BTF", ".beebox")):
            shown[section.name] = (section.type, section.flags, section.align, section.contents)
    symbols = sorted(
        (
            row.name,
            row.type,
            row.bind,
            row.visibility,
            row.value,
            row.size,
            place(names, row.section),
        )
        for row in elf.symbols[1:]
    )
    relocations = {}
    for index, rows in elf.relocations.items():
        relocations[names[index]] = sorted(
            (row.offset, row.type, elf.symbols[row.symbol].name, elf.symbols[row.symbol].value)
            for row in rows
        )
    return {"sections": shown, "symbols": symbols, "relocations": relocations}


def place(names: list[str], section: int) -> str:
    return names[section] if section < len(names) else str(section)


def meaning(data: bytes) -> dict[str, object]:
    """What the types are about: sections by name, records with names for ids."""
    btf, tables = types_of(data)
    sections = {}
    for row in btf.types:
        if isinstance(row, Datasec):
            assert row.name not in sections
            variables = [(name(btf, var.type), var.offset, var.size) for var in row.vars]
            sections[row.name] = (row.size, sorted(variables))
    functions = {
        section: [(row.offset, name(btf, row.type_id)) for row in rows]
        for section, rows in tables.functions.items()
    }
    core = {
        section: [(row.offset, name(btf, row.type_id), row.access, row.kind) for row in rows]
        for section, rows in tables.core.items()
    }
    return {"sections": sections, "functions": functions, "core": core, "lines": tables.lines}


def name(btf: Btf, type_id: int) -> str:
    return getattr(btf.type(type_id), "name", "")


def unnamed(data: bytes) -> ObjectSpec:
    """The spec without names of variables, which bpftool leaves out with DWARF."""
    spec = reader.read(data)
    functions = {name: replace(row, variables=()) for name, row in spec.functions.items()}
    return replace(spec, functions=functions)


def named(btf: Btf) -> dict[tuple[type, str], int]:
    """The globals that BTF describes, each once."""
    found = {}
    for type_id, row in btf.items():
        if isinstance(row, Var | Func) and row.linkage is not Linkage.STATIC:
            assert (type(row), row.name) not in found
            found[type(row), row.name] = type_id
    return found


@pytest.mark.parametrize("case", ACCEPTED)
def test_the_same_object_as_bpftool_makes(case, bpftool) -> None:
    inputs = compiled(ACCEPTED[case])
    theirs = bpftool(inputs)
    assert theirs is not None
    ours = link_objects(inputs).data
    assert shape(ours) == shape(theirs)
    assert meaning(ours) == meaning(theirs)
    left, right = types_of(ours)[0], types_of(theirs)[0]
    assert abs(len(left) - len(right)) <= 2  # a prototype without names, a forward declaration
    assert named(left).keys() == named(right).keys()
    for key, type_id in named(left).items():
        assert difference(left, type_id, right, named(right)[key]) == ""
    if case not in {"left open", "forward declared"}:
        assert_same_object(unnamed(ours), unnamed(theirs))


@pytest.mark.parametrize("case", ACCEPTED)
def test_linked_again_it_is_the_same(case, bpftool) -> None:
    """By either linker, whoever made it."""
    inputs = compiled(ACCEPTED[case])
    ours = link_objects(inputs).data
    theirs = bpftool(inputs)
    again = {link_objects([("x", ours)]).data, link_objects([("x", theirs)]).data}
    for data in (*again, bpftool([("x", ours)])):
        assert shape(data) == shape(ours)
        assert meaning(data) == meaning(ours)


@pytest.mark.parametrize("case", ACCEPTED)
def test_linked_one_after_the_other(case) -> None:
    first, *others = compiled(ACCEPTED[case])
    data = first[1]
    for other in others:
        data = link_objects([("so far", data), other]).data
    together = link_objects([first, *others]).data
    assert meaning(data) == meaning(together)
    assert shape(data) == shape(together)


@pytest.mark.parametrize("case", [name for name in ACCEPTED if name != "left open"])
def test_read_written_and_read(case) -> None:
    spec = reader.read(link_objects(compiled(ACCEPTED[case])).data)
    data = writer.write(spec)
    assert reader.read(data) == spec
    assert writer.write(reader.read(data)) == data


@pytest.mark.parametrize("case", REFUSED)
def test_refused_by_name(case) -> None:
    with pytest.raises(LinkError) as caught:
        link_objects(compiled(REFUSED[case]))
    assert caught.value.name == case.removesuffix(ALONE).rpartition(": ")[2]
    assert caught.value.files == ("0.o", "1.o")


@pytest.mark.parametrize("case", REFUSED)
def test_refused_as_bpftool_refuses(case, bpftool) -> None:
    theirs = bpftool(compiled(REFUSED[case]))
    assert (theirs is not None) is case.endswith(ALONE)


def only_ours(*parts: str) -> tuple[list[tuple[str, bytes]], bytes]:
    inputs = compiled(parts)
    return inputs, link_objects(inputs).data


def test_a_kernel_function_in_two_objects(bpftool) -> None:
    """libbpf 1.1 looks for its size; later ones link it."""
    use = """extern void bpf_rcu_read_lock(void) __ksym {0};
        SEC("tc") int {1}(void *c) {{ bpf_rcu_read_lock(); return 0; }}"""
    inputs, data = only_ours(use.format("__weak", "a"), use.format("", "b"))
    assert bpftool(inputs) is None
    spec = reader.read(data)
    (extern,) = spec.externs.values()
    assert (extern.kind, extern.is_weak) == (ExternKind.FUNCTION, False)
    assert meaning(data)["sections"][".ksyms"] == (0, [("bpf_rcu_read_lock", 0, 0)])


def test_an_extern_does_not_make_a_weak_definition_strong(bpftool) -> None:
    """The order of objects does not matter here, where libbpf's linker finds a conflict."""
    parts = (
        "__weak __noinline int f(int x) { return x; }",
        'extern int f(int x); SEC("xdp") int a(void *c) { return f(1); }',
        "__noinline int f(int x) { return x + 9; }",
    )
    inputs, data = only_ours(*parts)
    assert bpftool(inputs) is None
    assert bpftool([inputs[0], inputs[2], inputs[1]]) is not None
    called = reader.read(data).functions["f"]
    assert called.insns == reader.read(inputs[2][1]).functions["f"].insns


def test_a_strong_variable_takes_the_place_of_a_weak_one() -> None:
    parts = (
        'int before = 1; __weak volatile int n = 2; SEC("xdp") int a(void *c) { return n; }',
        'long other; volatile int n = 3; SEC("xdp") int b(void *c) { return n + other; }',
    )
    _, data = only_ours(*parts)
    spec = reader.read(data)
    assert get_global(spec, "n") == 3
    places = {
        insn.value
        for function in spec.functions.values()
        for insn in function.insns
        if isinstance(insn, LoadImm64)
    }
    offset = maps.section_variables(spec.btf, ".data")["n"].offset
    assert offset == 8
    assert GlobalRef(".data", offset) in places


def test_a_strong_variable_in_another_section() -> None:
    weak = '__weak volatile int n = 2; SEC("xdp") int a(void *c) { return n; }'
    _, data = only_ours(weak, "const volatile int n = 3;")
    assert meaning(data)["sections"][".rodata"] == (4, [("n", 0, 4)])
    assert meaning(data)["sections"][".data"] == (4, [])


def test_hidden_functions_are_static_to_the_verifier() -> None:
    hidden = "__hidden __noinline int f(int x) { return x; }"
    _, data = only_ours(CALL, hidden)
    (symbol,) = [row for row in read_elf(data).symbols if row.name == "f"]
    assert (symbol.bind, symbol.visibility) == (SymbolBind.GLOBAL, Visibility.HIDDEN)
    spec = reader.read(data)
    function = spec.btf.type(spec.functions["f"].type_id) if spec.btf else None
    assert isinstance(function, Func)
    assert function.linkage is Linkage.STATIC
    (again,) = [row for row in read_elf(writer.write(spec)).symbols if row.name == "f"]
    assert (again.bind, again.visibility) == (SymbolBind.GLOBAL, Visibility.HIDDEN)
    assert link_objects([("a", writer.write(spec))]).unresolved == ()


def test_what_stays_open_is_told() -> None:
    linked = link_objects(compiled(ACCEPTED["left open"]))
    assert set(linked.unresolved) == {"f", "n"}
    with pytest.raises(ObjectError, match=r"'[fn]'"):
        dict(reader.read(linked.data).functions)
    kernel = link_objects(compiled(ACCEPTED["of the kernel"]))
    assert kernel.unresolved == ()


def test_names_of_kernel_and_configuration_are_merged() -> None:
    spec = reader.read(link_objects(compiled(ACCEPTED["of the kernel"])).data)
    assert {name: row.is_weak for name, row in spec.externs.items()} == {
        "bpf_rcu_read_lock": False,
        "bpf_rcu_read_unlock": True,
        "bpf_stats_enabled_key": False,
        "CONFIG_HZ": False,
        "LINUX_KERNEL_VERSION": False,
        "nowhere": True,
    }


def test_without_debug_information() -> None:
    """A definition that nobody else names needs no BTF; everything else does."""
    program = compile_c('SEC("xdp") int a(void *c) { return 1; }', debug=False)
    other = compile_c("int f(int x) { return x; }")
    data = link_objects([("0.o", program), ("1.o", other)]).data
    assert reader.read(data).functions.keys() == {"a", "f"}
    with pytest.raises(LinkError) as caught:
        link_objects([("0.o", compile_c(CALL, debug=False)), ("1.o", other)])
    assert (caught.value.name, caught.value.files) == ("f", ("0.o",))
    bare = compile_c("int f(int x) { return x; }", debug=False)
    with pytest.raises(LinkError) as caught:
        link_objects([("0.o", compile_c(CALL)), ("1.o", bare)])
    assert (caught.value.name, caught.value.files) == ("f", ("0.o", "1.o"))


def test_byte_orders() -> None:
    """Big-endian objects link with one another, as little-endian ones do."""
    parts = ACCEPTED["static names"][:1] + ACCEPTED["slots"][1:]
    little = link_objects([(f"{n}", compile_c(part)) for n, part in enumerate(parts)])
    inputs = [(f"{n}", compile_c(part, target="bpfeb")) for n, part in enumerate(parts)]
    big = link_objects(inputs)
    assert read_elf(big.data).byte_order == "big"
    spec, same = reader.read(big.data), reader.read(little.data)
    assert {name: row.insns for name, row in spec.functions.items()} == {
        name: row.insns for name, row in same.functions.items()
    }
    assert [row.slots for row in spec.maps.values()] == [row.slots for row in same.maps.values()]
    assert reader.read(writer.write(spec)) == spec
    with pytest.raises(LinkError) as caught:
        link_objects([inputs[0], ("little", compile_c(parts[1]))])
    assert caught.value.files == ("0", "little")


def test_big_endian_as_newer_libbpf_and_no_other(bpftool) -> None:
    inputs = [("0", compile_c("int n = 1;", target="bpfeb"))]
    assert bpftool([*inputs, ("1", compile_c("int m = 1;"))]) is None


def unit_with_variables(*names: str) -> bytes:
    rows = {name: (VarRange(0, 1, f"of{name}", reg=index),) for index, name in enumerate(names)}
    functions = {
        name: FunctionSpec(
            name, "xdp", (Exit(),), variables=rows[name], is_global=not name.startswith("_")
        )
        for name in names
    }
    return writer.write(ObjectSpec(functions))


def test_names_of_variables_come_along() -> None:
    """From our own section and from DWARF, also where two functions have one name."""
    inputs = [("a", unit_with_variables("one", "_same")), ("b", unit_with_variables("_same"))]
    spec = reader.read(link_objects(inputs).data)
    names = {name: [row.name for row in each.variables] for name, each in spec.functions.items()}
    assert names == {"one": ["ofone"], "_same": ["of_same"], "_same.1": ["of_same"]}
    assert [row.variables[0].reg for row in spec.functions.values()] == [0, 1, 0]
    data = link_objects(compiled(ACCEPTED["static names"])).data
    spec = reader.read(data)
    assert spec.functions.keys() == {"a", "b", "d", "f", "f.1", "f.2"}
    for name in ("f", "f.1", "f.2"):
        assert [row.name for row in spec.functions[name].variables] == ["x"]
    assert ".debug_info" not in {section.name for section in read_elf(data).sections}


def test_names_of_variables_from_bpftool(bpftool) -> None:
    """It puts our sections behind one another; who is meant by a name of two is unknown."""
    inputs = [("a", unit_with_variables("_one", "_same")), ("b", unit_with_variables("_same"))]
    spec = reader.read(bpftool(inputs))
    assert {name for name, row in spec.functions.items() if row.variables} == {"_one"}


def test_many_functions_of_one_name() -> None:
    """In time linear in their number."""
    count = 20000
    code = Section("xdp", SectionType.PROGBITS, 6, encode([Exit()]) * count, align=8)
    symbols = [Symbol("f", SymbolType.FUNC, SymbolBind.LOCAL, 1, 8 * at, 8) for at in range(count)]
    spec = reader.read(write_elf([code], symbols, {}))
    assert list(spec.functions)[-1] == f"f.{count - 1}"


def test_a_static_function_beside_a_global_one() -> None:
    parts = (
        """static volatile int n; static __noinline int f(int x) { n += x; return n; }
        SEC("xdp") int a(void *c) { return f(1) + f(2); }""",
        "__noinline int f(int x) { return x; }",
    )
    spec = reader.read(only_ours(*parts)[1])
    assert {name: row.is_global for name, row in spec.functions.items()} == {
        "f": True,
        "f.1": False,
        "a": True,
    }
    assert len(spec.functions["f"].insns) == 2
    assert Call(CallKind.SUBPROG, SubprogRef("f.1")) in spec.functions["a"].insns


def test_a_local_function_that_types_call_global() -> None:
    """The symbol decides: it is not the function that another object has under its name."""

    def unit(name: str, *, is_global: bool, params: tuple[Param, ...]) -> tuple[str, bytes]:
        builder = Builder()
        kind = builder.function("f", builder.signed_int(), params, Linkage.GLOBAL)
        functions = {
            "f": FunctionSpec("f", ".text", (Exit(),), type_id=kind, is_global=is_global),
            name: FunctionSpec(name, "xdp", (Call(CallKind.SUBPROG, SubprogRef("f")), Exit())),
        }
        return name, writer.write(ObjectSpec(functions, btf=builder.build()))

    inputs = [
        unit("a", is_global=True, params=(Param("x", 1),)),
        unit("b", is_global=False, params=()),
    ]
    for order in (inputs, inputs[::-1]):
        spec = reader.read(link_objects(order).data)
        btf = spec.btf or Btf()
        parameters = {}
        for name in ("f", "f.1"):
            function = btf.type(spec.functions[name].type_id)
            prototype = btf.type(function.type) if isinstance(function, Func) else None
            parameters[name] = getattr(prototype, "params", None)
        assert parameters == {"f": (Param("x", parameters["f"][0].type),), "f.1": ()}


def test_a_license_in_one_object_only() -> None:
    bare = writer.write(ObjectSpec({"a": FunctionSpec("a", "xdp", (Exit(),))}))
    licensed = writer.write(ObjectSpec({"b": FunctionSpec("b", "xdp", (Exit(),))}, license="MIT"))
    assert reader.read(link_objects([("0", bare), ("1", licensed)]).data).license == "MIT"


def test_versions_are_the_same_or_refused() -> None:
    def unit(name: str, version: int) -> tuple[str, bytes]:
        return name, writer.write(
            ObjectSpec({name: FunctionSpec(name, "xdp", (Exit(),))}, version=version)
        )

    assert reader.read(link_objects([unit("a", 7), unit("b", 7)]).data).version == 7
    with pytest.raises(LinkError) as caught:
        link_objects([unit("a", 7), unit("b", 8)])
    assert caught.value.name == "version"


@pytest.mark.parametrize("align", [3, 1 << 25, 1 << 62])
def test_alignments_that_make_no_sense(align: int) -> None:
    section = Section("xdp", SectionType.PROGBITS, 6, encode([Exit()]), align=8)
    data = bytearray(write_elf([section], [Symbol("f", SymbolType.FUNC, 0, 1, 0, 8)], {}))
    at = int.from_bytes(data[40:48], "little") + 64 + 48
    assert data[at : at + 8] == (8).to_bytes(8, "little")
    data[at : at + 8] = align.to_bytes(8, "little")
    with pytest.raises(ObjectError) as caught:
        link_objects([("x", bytes(data))])
    assert (caught.value.file, caught.value.section) == ("x", "xdp")


def test_sections_of_types_that_hold_no_variables() -> None:
    builder = Builder()
    builder.section(".data", 4, (SectionVar(builder.unsigned(4), 0, 4),))
    btf = builder.build()
    data = maps.global_data_map(".data", bytes(4), btf)
    program = FunctionSpec("a", "xdp", (LoadImm64(Reg.R1, GlobalRef(".data", 0)), Exit()))
    odd = writer.write(ObjectSpec({"a": program}, {".data": data}, btf=btf))
    with pytest.raises(ObjectError) as caught:
        link_objects([("odd", odd)])
    assert (caught.value.file, caught.value.section) == ("odd", ".data")


def test_static_functions_of_struct_ops_maps(bpftool) -> None:
    """Data refers to them by section and offset, which linking moves."""
    part = """struct ops {{ int (*init)(void *); }};
        static SEC("struct_ops/init") int f(void *c) {{ return {0}; }}
        SEC(".struct_ops") struct ops ops{0} = {{ .init = f }};"""
    inputs, data = only_ours(part.format(1), part.format(2))
    assert bpftool(inputs) is None
    spec = reader.read(data)
    held = {name: row.slots for name, row in spec.maps.items()}
    assert held == {"ops1": ((0, "f"),), "ops2": ((0, "f.1"),)}
    results = {name: row.insns[0] for name, row in spec.functions.items()}
    assert [getattr(results[name], "src", None) for name in ("f", "f.1")] == [1, 2]


def test_nothing_to_link() -> None:
    with pytest.raises(ObjectError):
        link_objects([])


def changed(data: bytes, symbol: str, **changes: object) -> bytes:
    """The object with one of its symbols changed."""
    elf = read_elf(data)
    symbols = [replace(row, **changes) if row.name == symbol else row for row in elf.symbols[1:]]
    kept = [row for row in elf.sections[1:] if row.type in {1, 8}]
    places = {index: kept.index(row) + 1 for index, row in enumerate(elf.sections) if row in kept}
    moved = [replace(row, section=places.get(row.section, row.section)) for row in symbols]
    relocations = {places[at]: rows for at, rows in elf.relocations.items()}
    return write_elf(kept, moved, relocations)


@pytest.mark.parametrize(
    "changes",
    [
        {"visibility": Visibility.PROTECTED},
        {"bind": 3},
        {"section": 0xFFF2},
        {"section": 0},
        {"name": ""},
    ],
)
def test_symbols_that_mean_nothing_here(changes: dict[str, object]) -> None:
    data = link_objects(compiled(("int f(int x) { return x; }",))).data
    assert link_objects([("x", changed(data, "f"))]).data
    with pytest.raises(ObjectError) as caught:
        link_objects([("x", changed(data, "f", **changes))])
    assert caught.value.file == "x"


def test_any_bytes_link_or_are_refused() -> None:
    inputs = compiled(ACCEPTED["map"]) + compiled(ACCEPTED["of the kernel"])
    dice = random.Random(5)
    outcomes = set()
    for _ in range(400):
        file, data = dice.choice(inputs)
        mutant = bytearray(data)
        for _ in range(dice.choice([1, 2, 8])):
            mutant[dice.randrange(len(mutant))] = dice.randrange(256)
        try:
            link_objects([(file, bytes(mutant)), dice.choice(inputs)])
            outcomes.add("linked")
        except InputError as error:
            outcomes.add(type(error).__name__)
    assert outcomes >= {"linked", "ObjectError", "LinkError", "BtfError"}
