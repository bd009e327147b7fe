"""Types in C's words, and bounds of texts."""

from __future__ import annotations

import pytest

from beebox.btf.spelling import Speller
from beebox.btf.types import (
    Array,
    Btf,
    Enum,
    Float,
    FuncProto,
    Fwd,
    Int,
    Modifier,
    Param,
    Ptr,
    Struct,
    Type,
    Typedef,
)
from beebox.errors import BtfError

ROWS: tuple[tuple[Type, str], ...] = (
    (Int("int", 4, 32, signed=True), "int"),
    (Ptr(1), "int *"),
    (Ptr(2), "int **"),
    (Modifier("const", 1), "const int"),
    (Ptr(4), "const int *"),
    (Modifier("const", 2), "int *const"),
    (Modifier("volatile", 5), "const int *volatile"),
    (Array(1, 1, 4), "int[4]"),
    (Array(8, 1, 2), "int[2][4]"),
    (Ptr(8), "int (*)[4]"),
    (Array(2, 1, 3), "int *[3]"),
    (FuncProto(1, (Param("a", 1), Param("b", 2))), "int(int, int *)"),
    (Ptr(12), "int (*)(int, int *)"),
    (Array(13, 1, 5), "int (*[5])(int, int *)"),
    (FuncProto(0, (Param("f", 13), Param("", 0))), "void(int (*)(int, int *), ...)"),
    (FuncProto(13, ()), "int (*(void))(int, int *)"),
    (Struct("s", 0, ()), "struct s"),
    (Ptr(17), "struct s *"),
    (Struct("", 0, (), union=True), "union {...}"),
    (Fwd("f", union=True), "union f"),
    (Enum("", 4, ()), "enum {...}"),
    (Typedef("t", 20), "t"),
    (Modifier("type_tag", 17, "user"), "__tag(user) struct s"),
    (Ptr(0), "void *"),
    (Float("double", 8), "double"),
    (Modifier("const", 13), "int (*const)(int, int *)"),
)
BTF = Btf(tuple(row for row, _ in ROWS))


@pytest.mark.parametrize("type_id", range(1, len(ROWS) + 1))
def test_a_type_in_words(type_id: int) -> None:
    assert Speller(BTF).text(type_id) == ROWS[type_id - 1][1]


def test_void_and_what_is_not_there() -> None:
    assert Speller(BTF).text(0) == "void"
    with pytest.raises(BtfError):
        Speller(BTF).text(len(ROWS) + 1)


def test_a_prototype() -> None:
    speller = Speller(BTF)
    assert speller.prototype("f", 12) == "int f(int a, int *b)"
    assert speller.prototype("g", 15) == "void g(int (*f)(int, int *), ...)"
    assert speller.prototype("h", 16) == "int (*h(void))(int, int *)"
    assert speller.prototype("i", 1) == "i: int"


def test_texts_are_bounded() -> None:
    """Loops, and prototypes that double with every level."""
    loop = Btf((Ptr(1), FuncProto(3, tuple(Param("", 3) for _ in range(9))), Ptr(2)))
    for type_id in (1, 2, 3):
        assert len(Speller(loop).text(type_id)) <= 2100
    wide = Btf((FuncProto(0, tuple(Param("n" * 50, 2) for _ in range(60_000))), Int("i", 4, 32)))
    assert len(Speller(wide).text(1)) <= 2100
    assert len(Speller(wide).prototype("f", 1)) <= 2100
