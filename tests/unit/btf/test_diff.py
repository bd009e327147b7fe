"""Differences between two tables, by name, as values."""

from __future__ import annotations

import pytest

from beebox.btf import codec
from beebox.btf.diff import (
    Added,
    Change,
    Changed,
    Difference,
    Field,
    FieldAdded,
    FieldMoved,
    FieldRemoved,
    FieldRenamed,
    FieldRetyped,
    KindName,
    Removed,
    Resized,
    Retyped,
    ValueAdded,
    ValueChanged,
    ValueRemoved,
    diff,
)
from beebox.btf.types import (
    Array,
    Btf,
    Datasec,
    Enum,
    Float,
    Func,
    FuncProto,
    Fwd,
    Int,
    Linkage,
    Member,
    Modifier,
    Param,
    Ptr,
    SectionVar,
    Struct,
    Type,
    Typedef,
    Var,
)
from beebox.errors import BtfError

INT = Int("int", 4, 32, signed=True)
LONG = Int("long", 8, 64, signed=True)


def between(old: Type, new: Type, *more: Type) -> tuple[Difference, ...]:
    """Both tables hold int, long, ``more`` and then the row in question."""
    return diff(Btf((INT, LONG, *more, old)), Btf((INT, LONG, *more, new)))


def changed(kind: KindName, name: str, *changes: Change) -> tuple[Changed, ...]:
    return (Changed(kind, name, changes),)


def test_ids_order_and_duplicates_do_not_count() -> None:
    one = Btf((INT, Ptr(1), Struct("s", 8, (Member("p", 2, 0),)), Func("f", 5), FuncProto(3, ())))
    two = Btf(
        (
            FuncProto(2, ()),
            Struct("s", 8, (Member("p", 4, 0),)),
            INT,
            Ptr(3),
            Func("f", 1),
            INT,
            Fwd("s"),
        )
    )
    assert diff(one, two) == ()
    assert diff(codec.view(codec.encode(one)), two) == ()


def test_added_and_removed() -> None:
    assert diff(Btf((INT, Struct("s", 0, ()))), Btf((INT, Struct("s", 0, (), union=True)))) == (
        Removed("struct", "s"),
        Added("union", "s"),
    )
    assert diff(Btf(), Btf((Typedef("t", 0), Float("f", 4)))) == (
        Added("float", "f"),
        Added("typedef", "t"),
    )


def test_members() -> None:
    old = Struct(
        "s",
        24,
        (Member("a", 1, 0), Member("b", 1, 32), Member("c", 2, 64), Member("d", 1, 128)),
    )
    new = Struct(
        "s",
        32,
        (Member("b", 1, 0), Member("c", 1, 64), Member("e", 1, 128), Member("f", 1, 192)),
    )
    assert between(old, new) == changed(
        "struct",
        "s",
        Resized(24, 32),
        FieldRemoved(Field("a", 0, "int")),
        FieldMoved("b", 32, 0),
        FieldRetyped("c", "long", "int"),
        FieldRenamed("d", "e"),
        FieldAdded(Field("f", 192, "int")),
    )


def test_bitfields() -> None:
    old = Struct("s", 4, (Member("a", 1, 0, 3), Member("", 1, 3, 1), Member("", 1, 4, 1)))
    new = Struct("s", 4, (Member("a", 1, 0, 4), Member("", 1, 4, 1), Member("", 1, 5, 1)))
    assert between(old, new) == changed(
        "struct",
        "s",
        FieldRetyped("a", "int : 3", "int : 4"),
        FieldMoved("", 3, 4),
        FieldMoved("", 4, 5),
    )


def test_structs_without_a_name_belong_to_the_one_around() -> None:
    """Member c moves in the inner struct; the array's elements and the pointee get a member."""

    def rows(place: int, more: bool) -> Btf:
        last = (Member("z", 1, 32),) if more else ()
        inner = Struct("", 8, (Member("c", 1, place),), union=False)
        element = Struct("", 8, (Member("y", 1, 0), *last))
        outer = (Member("", 2, 64), Member("in", 2, 128), Member("row", 4, 192), Member("to", 5, 0))
        return Btf((INT, inner, element, Array(3, 1, 2), Ptr(3), Struct("s", 40, outer)))

    assert diff(rows(0, more=False), rows(0, more=False)) == ()
    assert diff(rows(0, more=False), rows(32, more=True)) == changed(
        "struct",
        "s",
        FieldMoved("c", 64, 96),
        FieldMoved("in.c", 128, 160),
        FieldAdded(Field("row[].z", 32, "int")),
        FieldAdded(Field("to*.z", 32, "int")),
    )


def test_enums() -> None:
    old = Enum("e", 4, (("A", 0), ("B", 1), ("C", 2)))
    new = Enum("e", 8, (("A", 0), ("C", 1), ("D", -1)), signed=True, is64=True)
    assert between(old, new) == changed(
        "enum",
        "e",
        Resized(4, 8),
        Retyped("unsigned", "signed"),
        ValueRemoved("B", 1),
        ValueChanged("C", 2, 1),
        ValueAdded("D", -1),
    )


def test_prototypes() -> None:
    more = (FuncProto(1, (Param("a", 1),)), FuncProto(1, (Param("a", 2),)))
    assert between(Func("f", 3), Func("f", 4), *more) == changed(
        "func", "f", Retyped("global int f(int a)", "global int f(long a)")
    )
    assert between(Func("f", 3), Func("f", 3, Linkage.STATIC), *more) == changed(
        "func", "f", Retyped("global int f(int a)", "static int f(int a)")
    )


def test_the_rest() -> None:
    assert between(Typedef("t", 1), Typedef("t", 2)) == changed(
        "typedef", "t", Retyped("int", "long")
    )
    assert between(Var("v", 1), Var("v", 2)) == changed(
        "var", "v", Retyped("global int", "global long")
    )
    assert between(Int("i", 4, 32), Int("i", 4, 32, signed=True)) == changed(
        "int", "i", Retyped("32 bits at 0", "signed 32 bits at 0")
    )
    assert between(Float("f", 4), Float("f", 8)) == changed("float", "f", Resized(4, 8))
    old, new = Datasec(".d", 4, (SectionVar(3, 0, 4),)), Datasec(".d", 8, (SectionVar(3, 4, 4),))
    assert between(old, new, Var("v", 1)) == changed(
        "datasec", ".d", Resized(4, 8), FieldMoved("v", 0, 32)
    )


def test_a_typedef_is_the_only_name_of_a_struct_or_enum_without_one() -> None:
    def struct(size: int) -> Btf:
        return Btf((INT, Struct("", size, (Member("a", 1, 0),)), Typedef("t", 2)))

    assert diff(struct(4), struct(8)) == changed("typedef", "t", Resized(4, 8))

    def enum(value: int) -> Btf:
        return Btf((Enum("", 4, (("A", value),)), Typedef("t", 1)))

    assert diff(enum(0), enum(1)) == changed("typedef", "t", ValueChanged("A", 0, 1))


def test_several_definitions_of_a_name() -> None:
    one, two, three = (Struct("s", size, ()) for size in (1, 2, 3))
    assert diff(Btf((one, two)), Btf((two, one))) == ()
    assert diff(Btf((one, two)), Btf((three, one))) == changed("struct", "s", Resized(2, 3))
    assert diff(Btf((one, two)), Btf((two,))) == (Removed("struct", "s"),)
    assert diff(Btf((one,)), Btf((one, two, two))) == (Added("struct", "s"),)


def test_of_split_tables_the_own_types_are_compared() -> None:
    base = Btf((INT, Typedef("t", 1)))
    assert diff(Btf((Typedef("u", 1),), base), Btf((Typedef("u", 2),), base)) == changed(
        "typedef", "u", Retyped("int", "t")
    )


def test_hostile_nesting_is_refused_in_time() -> None:
    loop = Btf((Struct("s", 8, (Member("a", 2, 0),)), Struct("", 8, (Member("b", 2, 0),))))
    rows = [
        Struct("", 1, tuple(Member(f"m{i}", at, 0) for i in range(8) if at)) for at in range(15)
    ]
    wide = Btf((*rows, Struct("s", 1, (Member("a", len(rows), 0),))))
    through = Btf((Modifier("const", 2), Typedef("t", 1)))
    assert diff(through, through) == ()
    for table in (loop, wide):
        with pytest.raises(BtfError):
            diff(table, Btf((Struct("s", 1, ()),)))
