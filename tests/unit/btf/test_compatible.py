"""Which declarations mean the same, and what is said of those that do not."""

from __future__ import annotations

import pytest
from c_objects import compile_c

from beebox.btf import codec
from beebox.btf.compatible import difference
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
    Struct,
    Typedef,
    Var,
)
from beebox.errors import BtfError
from beebox.obj.elf import read as read_elf

INT = Int("int", 4, 32, signed=True)


def told(left: str, right: str) -> str:
    """The difference between the variables ``x`` that two sources declare."""
    tables = []
    for text in (left, right):
        elf = read_elf(compile_c(f"{text} __attribute__((used));"))
        tables.append(codec.parse(elf.sections[elf.find(".BTF") or 0].contents))
    ids = [btf.kinded("x", Var, Func)[0] for btf in tables]
    there = difference(tables[0], ids[0], tables[1], ids[1])
    back = difference(tables[1], ids[1], tables[0], ids[0])
    assert bool(there) == bool(back)
    return there


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("int x", "int x"),
        ("int x", "unsigned x"),
        ("int x", "volatile int x"),
        ("typedef int number; number x", "int x"),
        ("int x[3]", "int x[5]"),
        ("struct s { int a : 3; } x", "struct s { unsigned a : 3; } x"),
        ("struct s { struct s *next; } *x", "struct s { int other; } *x"),
        ("struct s *x", "struct s { int a; } *x"),
        ("union s *x", "union s { int a; } *x"),
        ("struct s **x", "struct s { int a; } **x"),
        ("int (*x)(int a)", "int (*x)(int b)"),
        ("int (*x)(struct s *)", "struct s { int a; }; int (*x)(struct s *)"),
        ("enum e { A } x", "enum e { B = 7 } x"),
        ("void *x", "const void *x"),
    ],
)
def test_the_same(left: str, right: str) -> None:
    assert told(left, right) == ""


@pytest.mark.parametrize(
    ("left", "right", "words"),
    [
        ("int x", "long x", "sizes of int differ: 4 and 8"),
        ("int x", "float x", "kinds differ: int and float"),
        ("int x", "int *x", "kinds differ: int and pointer"),
        ("int x[3]", "long x[3]", "sizes of int differ"),
        ("void *x", "int *x", "kinds differ: void and int"),
        ("enum e { A } x", "enum f { A } x", "names of the enum differ: e and f"),
        ("enum e { A } x", "enum e { A = 1ULL << 40 } x", "kinds differ: enum and enum64"),
        ("struct s { int a; } x", "union s { int a; } x", "kinds differ: struct and union"),
        ("struct s { int a; } x", "struct t { int a; } x", "names of the struct differ"),
        ("struct s { int a; } x", "struct s { int b; } x", "names of a field of s differ: a and b"),
        ("struct s { int a; } x", "struct s { int a, b; } x", "numbers of fields of s differ"),
        ("struct s { int a; } x", "struct s { long a; } x", "sizes of int differ"),
        ("struct s { int a, b; } x", "struct s { int a; long : 0; int b; } x", "offsets of s.b"),
        ("struct s { int a : 3; } x", "struct s { int a : 4; } x", "offsets of s.a"),
        ("struct s { struct { int a; } in; } x", "struct s { struct { int c; } in; } x", "a and c"),
        ("struct s *x", "struct t *x", "names of the forward declaration differ: s and t"),
        ("struct s *x", "struct t { int a; } *x", "names differ: s and t"),
        ("struct s *x", "union s { int a; } *x", "kinds differ: forward declaration and union"),
        ("union s *x", "struct s { int a; } *x", "kinds differ: forward declaration and struct"),
        ("struct s *x", "int *x", "kinds differ: forward declaration and int"),
        ("int (*x)(int)", "int (*x)(void)", "numbers of parameters differ: 1 and 0"),
        ("int (*x)(int)", "long (*x)(int)", "sizes of int differ"),
        ("int (*x)(int)", "int (*x)(long)", "sizes of int differ"),
    ],
)
def test_a_difference_is_told(left: str, right: str, words: str) -> None:
    assert words in told(left, right).replace("sizes of long", "sizes of int")


def one(*types: object) -> Btf:
    return Btf(tuple(types))  # type: ignore[arg-type]


def test_linkages() -> None:
    tables = [one(INT, Var("x", 1, linkage)) for linkage in Linkage]
    static, shown, extern = tables
    assert difference(shown, 2, extern, 2) == ""
    assert "linkages differ" in difference(static, 2, extern, 2)
    functions = [one(FuncProto(0, ()), Func("x", 1, linkage)) for linkage in Linkage]
    assert difference(functions[1], 2, functions[2], 2) == ""
    assert "linkages differ" in difference(functions[1], 2, functions[0], 2)


def test_what_globals_cannot_be() -> None:
    section = one(Datasec(".data", 4, ()))
    assert "no type of a global" in difference(section, 1, section, 1)


def test_loops_end() -> None:
    pointers = one(Ptr(1))
    assert difference(pointers, 1, one(Ptr(2), Ptr(1)), 1) == ""
    arrays = one(Array(1, 1, 1))
    assert difference(arrays, 1, arrays, 1) == ""
    nested = one(Struct("s", 4, (Member("a", 1, 0),)))
    assert difference(nested, 1, nested, 1) == ""
    calls = one(FuncProto(1, (Param("", 1),)))
    assert difference(calls, 1, calls, 1) == ""
    typedefs = one(Typedef("t", 2), Modifier("const", 1))
    with pytest.raises(BtfError):
        difference(typedefs, 1, typedefs, 1)


def test_long_chains_do_not_recurse() -> None:
    deep = one(INT, *(Ptr(n) for n in range(1, 20000)))
    assert difference(deep, len(deep), deep, len(deep)) == ""
    other = one(Float("float", 4), *(Ptr(n) for n in range(1, 20000)))
    assert "kinds differ" in difference(deep, len(deep), other, len(other))


def test_declarations_of_both_kinds() -> None:
    for union in (False, True):
        left, right = one(Fwd("s", union=union), Ptr(1)), one(Enum("s", 4, ()), Ptr(1))
        assert "kinds differ" in difference(left, 2, right, 2)
