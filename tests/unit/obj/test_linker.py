"""Linking: what is reached, where it goes, what is refused."""

from __future__ import annotations

from dataclasses import replace

import pytest

from beebox.errors import InputError, NotSupportedError, ObjectError
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
    PseudoImm64,
    Reg,
    SubprogRef,
)
from beebox.obj.linker import link
from beebox.obj.model import (
    CoreRelocation,
    ExternKind,
    ExternSpec,
    FunctionSpec,
    LineInfo,
    MapSpec,
    ObjectSpec,
    VarRange,
)
from beebox.tables.core_relocations import CoreKind
from beebox.tables.limits import MAX_SUBPROGRAMS
from beebox.tables.map_types import MapType
from beebox.tables.opcodes import AluOp

ZERO = Alu(AluOp.MOV, Reg.R0, 0)


def call(name: str) -> Call:
    return Call(CallKind.SUBPROG, SubprogRef(name))


def function(name: str, *body: Instruction, section: str = ".text") -> FunctionSpec:
    return FunctionSpec(
        name,
        section,
        (*body, Exit()),
        lines=(LineInfo(0, "f.py", 1, 1, name),),
        variables=(VarRange(0, 1, name, reg=1),),
    )


def spec(*functions: FunctionSpec, maps: tuple[MapSpec, ...] = ()) -> ObjectSpec:
    return ObjectSpec({f.name: f for f in functions}, {m.name: m for m in maps}, license="GPL")


def test_calls_count_slots() -> None:
    wide = LoadImm64(Reg.R1, 1 << 40)
    linked = link(
        spec(
            function("main", wide, call("b"), call("a"), section="xdp"),
            function("a", call("b")),
            function("b", wide),
            function("unused"),
        ),
        "main",
    )
    assert [(row.pc, row.name) for row in linked.functions] == [(0, "main"), (5, "b"), (8, "a")]
    targets = {
        pc: pc + 1 + insn.target
        for pc, insn in enumerate(linked.slots)
        if isinstance(insn, Call) and isinstance(insn.target, int)
    }
    assert targets == {2: 5, 3: 8, 8: 5}
    assert [(line.pc, line.text) for line in linked.lines] == [(0, "main"), (5, "b"), (8, "a")]
    assert [(var.start, var.end) for var in linked.variables] == [(0, 1), (5, 6), (8, 9)]


def test_recursion_links() -> None:
    linked = link(
        spec(function("main", call("a"), section="xdp"), function("a", call("a"))), "main"
    )
    assert linked.insns[2] == Call(CallKind.SUBPROG, -1)


def test_only_used_maps_stay() -> None:
    used = MapSpec("used", MapType.HASH, 4, 4, 1)
    data = MapSpec(".data", MapType.ARRAY, 4, 8, 1, contents=bytes(8))
    load = (LoadImm64(Reg.R1, MapRef("used")), LoadImm64(Reg.R2, GlobalRef(".data", 4)))
    linked = link(
        spec(
            function("main", *load, section="xdp"),
            maps=(replace(used, name="idle"), used, data),
        ),
        "main",
    )
    assert list(linked.maps) == ["used", ".data"]


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (call("missing"), ObjectError),
        (LoadImm64(Reg.R1, MapRef("missing")), ObjectError),
        (LoadImm64(Reg.R1, GlobalRef("m", 0)), ObjectError),
        (LoadImm64(Reg.R1, GlobalRef(".data", 8)), ObjectError),
        (Call(CallKind.SUBPROG, 5), ObjectError),
        (Call(CallKind.KFUNC, KfuncRef("k")), ObjectError),
        (LoadImm64(Reg.R1, KsymRef("jiffies")), ObjectError),
        (LoadImm64(Reg.R1, SubprogRef("missing")), ObjectError),
    ],
)
def test_refused(body: Instruction, error: type[Exception]) -> None:
    maps = (
        MapSpec("m", MapType.HASH, 4, 4, 1),
        MapSpec(".data", MapType.ARRAY, 4, 8, 1, contents=bytes(8)),
    )
    with pytest.raises(error):
        link(spec(function("main", body, section="xdp"), maps=maps), "main")


def test_programs_only() -> None:
    both = spec(
        function("main", section="xdp"), function("sub"), function("probe", section="nothing/f")
    )
    for name in ("sub", "missing"):
        with pytest.raises(ObjectError):
            link(both, name)
    with pytest.raises(NotSupportedError):
        link(both, "probe")


def test_a_callback_is_an_address_in_the_program() -> None:
    address = LoadImm64(Reg.R2, SubprogRef("each"))
    linked = link(
        spec(function("main", call("each"), address, section="xdp"), function("each")), "main"
    )
    assert linked.insns[1] == LoadImm64(Reg.R2, PseudoImm64(4, 4 - 2))
    assert [(row.pc, row.name) for row in linked.functions] == [(0, "main"), (4, "each")]


def test_kernel_symbols_stay_named() -> None:
    names = {name: ExternSpec(name, ExternKind.FUNCTION) for name in ("k", "idle")}
    whole = spec(function("main", Call(CallKind.KFUNC, KfuncRef("k")), section="?tp_btf/sys_enter"))
    linked = link(replace(whole, externs=names), "main")
    assert linked.externs == {"k": names["k"]}
    assert linked.attach_to == "sys_enter"


def test_core_relocations_need_a_target() -> None:
    core = (CoreRelocation(0, CoreKind.FIELD_EXISTS, 1, "0:0"),)
    with pytest.raises(ObjectError):
        link(spec(replace(function("main", section="xdp"), core=core)), "main")


def test_functions_are_bounded() -> None:
    chain = [
        function(f"f{at}", *([call(f"f{at + 1}")] if at < MAX_SUBPROGRAMS else []))
        for at in range(MAX_SUBPROGRAMS + 1)
    ]
    chain[0] = replace(chain[0], section="xdp")
    with pytest.raises(InputError):
        link(spec(*chain), "f0")
    assert len(link(spec(*chain[:-2], function(f"f{MAX_SUBPROGRAMS - 1}")), "f0").functions) == 256


def test_empty_functions_are_refused() -> None:
    with pytest.raises(ObjectError):
        link(spec(FunctionSpec("main", "xdp", ())), "main")


def test_references_to_maps_that_are_not_made_are_poison() -> None:
    code = (LoadImm64(Reg.R1, 0), LoadImm64(Reg.R1, MapRef("b")), ZERO, Exit())
    maps = {
        name: MapSpec(name, MapType.ARRAY, 4, 4, 1, autocreate=name != "b") for name in ("a", "b")
    }
    linked = link(ObjectSpec({"f": FunctionSpec("f", "xdp", code)}, maps), "f")
    assert linked.insns[1:3] == (Call(CallKind.HELPER, 2_001_000_001),) * 2
    assert [row.pc for row in linked.poisoned] == [2]
    assert not linked.maps
    assert len(linked.slots) == 6


@pytest.mark.parametrize(("index", "held"), [(-1, "f"), (1 << 32, "f"), (0, "gone")])
def test_slots_that_cannot_be(index: int, held: str) -> None:
    row = MapSpec("jumps", MapType.PROG_ARRAY, 4, 4, 2, slots=((index, held),))
    with pytest.raises(ObjectError):
        spec(function("f", section="xdp"), maps=(row,)).with_slot_programs(["f"])


def test_a_map_that_is_not_made_stands_in_no_slot() -> None:
    inner = MapSpec("inner", MapType.ARRAY, 4, 4, 1, autocreate=False)
    outer = MapSpec("outer", MapType.ARRAY_OF_MAPS, 4, 4, 2, inner=inner, slots=((0, "inner"),))
    with pytest.raises(ObjectError):
        ObjectSpec({}, {"inner": inner, "outer": outer}).with_slot_programs([])
