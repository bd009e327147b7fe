"""BTF for the kernel: externs as definitions, nothing else touched."""

from __future__ import annotations

from beebox.btf.builder import Builder
from beebox.btf.types import (
    Btf,
    Datasec,
    Func,
    FuncProto,
    Int,
    Linkage,
    Param,
    SectionVar,
    Var,
)
from beebox.linux.object_types import for_kernel
from beebox.obj.model import ExternKind, ExternSpec, KconfigPlace, MapSpec
from beebox.tables.map_types import MapType


def section_of(btf: Btf, name: str) -> Datasec:
    (found,) = (row for _, row in btf.items() if isinstance(row, Datasec) and row.name == name)
    return found


def test_an_object_without_externs_passes_as_it_is() -> None:
    builder = Builder()
    integer = builder.signed_int()
    builder.function("f", integer, (Param("x", integer),), Linkage.GLOBAL)
    builder.section(".bss", 4, (SectionVar(builder.variable("v", integer), 0, 4),))
    btf = builder.build()
    assert for_kernel(btf, {}, maps={}) is btf


def test_kernel_symbols_become_integers_in_a_row() -> None:
    builder = Builder()
    integer = builder.signed_int()
    proto = builder.add(FuncProto(integer, (Param("", integer), Param("named", integer))))
    function = builder.add(Func("kfunc", proto, Linkage.EXTERN))
    variable = builder.variable("runqueues", 0, Linkage.EXTERN)
    builder.section(".ksyms", 0, (SectionVar(function, 0, 0), SectionVar(variable, 0, 40)))
    before = builder.build()
    after = for_kernel(before, {}, maps={})
    section = section_of(after, ".ksyms")
    assert [(row.offset, row.size) for row in section.vars] == [(0, 4), (4, 4)]
    assert section.size == 8
    dummy, kept = (after.type(row.type) for row in section.vars)
    assert isinstance(dummy, Var)
    assert dummy.name != "kfunc"
    assert kept == Var("runqueues", integer, Linkage.GLOBAL)
    assert after.type(function) == Func("kfunc", proto, Linkage.GLOBAL)
    row = after.type(proto)
    assert isinstance(row, FuncProto)
    assert all(param.name for param in row.params)
    assert row.params[1].name == "named"
    assert list(after.items())[: len(before)][0] == (integer, before.type(integer))


def test_variables_of_the_build_lie_where_they_were_put() -> None:
    builder = Builder()
    integer = builder.signed_int()
    first, second, unused = (
        builder.variable(name, integer, Linkage.EXTERN) for name in ("A", "B", "C")
    )
    rows = tuple(SectionVar(row, 0, 4) for row in (first, second, unused))
    builder.section(".kconfig", 0, rows)
    externs = {
        "A": ExternSpec("A", ExternKind.KCONFIG, first, resolved=KconfigPlace(8, 4)),
        "B": ExternSpec("B", ExternKind.KCONFIG, second, resolved=KconfigPlace(0, 4)),
        "C": ExternSpec("C", ExternKind.KCONFIG, unused),
    }
    maps = {".kconfig": MapSpec(".kconfig", MapType.ARRAY, 4, 12, 1, contents=bytes(12))}
    section = section_of(for_kernel(builder.build(), externs, maps=maps), ".kconfig")
    assert section == Datasec(".kconfig", 12, (SectionVar(second, 0, 4), SectionVar(first, 8, 4)))


def test_an_empty_section_is_no_section() -> None:
    builder = Builder()
    row = builder.variable("A", builder.signed_int(), Linkage.EXTERN)
    builder.section(".kconfig", 0, (SectionVar(row, 0, 4),))
    after = for_kernel(builder.build(), {}, maps={})
    assert not [found for _, found in after.items() if isinstance(found, Datasec)]
    assert isinstance(after.type(len(after)), Int)
