"""struct_ops maps in a target's layout: members by name, in another order, of other sizes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from beebox.btf.builder import Builder
from beebox.btf.types import Btf, FuncProto, Int, Member, Param
from beebox.errors import NotSupportedError, ObjectError
from beebox.obj.model import KernelSymbol, MapSpec
from beebox.obj.struct_ops import Layout, Slot, layout, program_symbols
from beebox.obj.targets.target import Target, target_of_btf
from beebox.tables.map_types import MapType


def types(*members: str, name: str = "ops", kernel: bool = False) -> tuple[Btf, int]:
    """A struct of ``members``: "f:NAME" a function, "p:NAME" a pointer, "4:NAME" an integer."""
    builder = Builder()
    integer = {size: builder.unsigned(size) for size in (1, 4, 8)}
    function = builder.pointer(builder.add(FuncProto(integer[4], (Param("", integer[4]),))))
    kinds = {"f": (function, 8), "p": (builder.pointer(integer[4]), 8), "x": (integer[4], 4)}
    kinds |= {str(size): (row, size) for size, row in integer.items()}
    kinds |= {"name": (builder.array(integer[1], 16), 16)}
    rows: list[Member] = []
    at = 0
    for text in members:
        kind, _, member = text.partition(":")
        type_id, size = kinds[kind]
        rows.append(Member(member, type_id, 8 * at, 3 if kind == "x" else 0))
        at += (size + 7) // 8 * 8
    struct = builder.struct(name, at, tuple(rows))
    if kernel:
        value = (Member("common", integer[8], 0), Member("data", struct, 512))
        builder.struct(f"bpf_struct_ops_{name.partition('___')[0]}", 64 + at, value)
    return builder.build(), struct


def map_of(struct: int, contents: bytes, *slots: tuple[int, str]) -> MapSpec:
    return MapSpec(
        "m",
        MapType.STRUCT_OPS,
        4,
        len(contents),
        1,
        value_type_id=struct,
        contents=contents,
        slots=slots,
    )


def kernel(*members: str) -> Target:
    return target_of_btf(types(*members, kernel=True)[0], "made up")


def test_members_move_to_where_the_target_has_them() -> None:
    btf, struct = types("f:first", "4:flags", "f:second", name="ops___mine")
    contents = bytes(8) + b"\7\0\0\0" + bytes(12)
    target = kernel("4:before", "f:second", "f:first", "4:flags")
    found = layout(map_of(struct, contents, (0, "a"), (16, "b")), btf, target)
    assert found.slots == (Slot(64 + 16, "a", 2), Slot(64 + 8, "b", 1))
    assert found.value == bytes(64 + 24) + b"\7\0\0\0" + bytes(4)
    kernel_btf = target.btf or Btf()
    assert kernel_btf.named("ops") == (found.struct_type_id,)
    assert kernel_btf.named("bpf_struct_ops_ops") == (found.value_type_id,)
    assert program_symbols({"m": found}) == {
        "a": KernelSymbol(found.struct_type_id, member=2),
        "b": KernelSymbol(found.struct_type_id, member=1),
    }


def test_a_struct_of_a_module_is_found_there() -> None:
    btf, struct = types("f:first")
    module, _ = types("f:first", kernel=True)
    target = Target("made up", read_btf=Btf, read_modules=lambda: {"other": Btf(), "mod": module})
    found = layout(map_of(struct, bytes(8), (0, "a")), btf, target)
    assert found.module == "mod"
    assert program_symbols({"m": found})["a"].module == "mod"


def test_what_the_target_does_not_know_may_be_zero() -> None:
    btf, struct = types("f:first", "4:future", "f:never")
    target = kernel("f:first")
    assert layout(map_of(struct, bytes(24), (0, "a")), btf, target).value == bytes(64 + 8)
    for contents, slots in ((bytes(8) + b"\1" + bytes(15), ()), (bytes(24), ((16, "c"),))):
        with pytest.raises(NotSupportedError):
            layout(map_of(struct, contents, *slots), btf, target)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("4:a", "8:a"),
        ("4:a", "p:a"),
        ("f:a", "4:a"),
        ("name:a", "8:a"),
        ("x:a", "4:a"),
        ("4:a", "x:a"),
    ],
)
def test_members_of_another_type_are_refused(ours: str, theirs: str) -> None:
    btf, struct = types(ours)
    size = btf.size_of(struct)
    with pytest.raises(NotSupportedError):
        layout(map_of(struct, bytes(size)), btf, kernel(theirs))


def test_a_function_needs_a_member_for_functions() -> None:
    btf, struct = types("p:a")
    with pytest.raises(NotSupportedError):
        layout(map_of(struct, bytes(8), (0, "f")), btf, kernel("p:a"))
    with pytest.raises(NotSupportedError):
        layout(map_of(struct, b"\1" + bytes(7)), btf, kernel("p:a"))


def test_a_function_where_no_member_begins() -> None:
    btf, struct = types("f:a")
    with pytest.raises(ObjectError):
        layout(map_of(struct, bytes(8), (4, "f")), btf, kernel("f:a"))


def test_a_struct_that_the_target_has_no_operations_of() -> None:
    btf, struct = types("f:a")
    with pytest.raises(NotSupportedError):
        layout(map_of(struct, bytes(8)), btf, target_of_btf(btf))
    with pytest.raises(NotSupportedError):
        layout(map_of(struct, bytes(8)), btf, target_of_btf(None))


def test_a_value_around_another_struct() -> None:
    btf, struct = types("f:a")
    builder = Builder(btf)
    other = builder.struct("other", 8, (Member("a", builder.pointer(0), 0),))
    builder.struct("bpf_struct_ops_ops", 72, (Member("data", other, 512),))
    with pytest.raises(NotSupportedError):
        layout(map_of(struct, bytes(8)), btf, target_of_btf(builder.build()))


def test_a_map_without_a_struct() -> None:
    btf = Btf((Int("int", 4, 32),))
    for spec in (map_of(1, bytes(4)), map_of(0, bytes(4)), replace(map_of(1, b""), contents=None)):
        with pytest.raises(ObjectError):
            layout(spec, btf, kernel("f:a"))


def test_one_program_for_two_functions() -> None:
    first = Layout(1, 2, b"", (Slot(0, "a", 0),))
    assert program_symbols({"m": first, "n": first}) == {"a": KernelSymbol(2, member=0)}
    with pytest.raises(ObjectError):
        program_symbols({"m": first, "n": replace(first, slots=(Slot(8, "a", 1),))})
