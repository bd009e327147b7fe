"""The C output against golden declarations, the compiler's own view of them, and hostile tables."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from c_headers import check_c, compile_bpf, object_btf

from beebox.btf.c import output as c_output
from beebox.btf.types import (
    Array,
    Btf,
    DeclTag,
    Enum,
    Float,
    Func,
    FuncProto,
    Fwd,
    Int,
    Member,
    Modifier,
    Param,
    Ptr,
    Struct,
    Type,
    Typedef,
    Var,
)
from beebox.errors import BtfError

INT = Int("int", 4, 32, signed=True)
U32 = Int("unsigned int", 4, 32)
U64 = Int("long long unsigned int", 8, 64)
CHAR = Int("char", 1, 8)


def body(*types: Type, **options: bool) -> str:
    """The definitions alone, without what every header begins and ends with."""
    text = c_output.header(Btf(types), **options)
    return text.split("#endif\n\n", 1)[1].rsplit("#ifndef BPF_NO_PRESERVE", 1)[0].strip()


@pytest.mark.parametrize(
    ("types", "text"),
    [
        ([Typedef("t", 2), INT], "typedef int t;"),
        ([Typedef("t", 0)], "typedef void t;"),
        ([Typedef("t", 2), Ptr(3), Modifier("const", 4), CHAR], "typedef const char *t;"),
        ([Typedef("t", 2), Modifier("const", 3), Ptr(4), CHAR], "typedef char * const t;"),
        ([Typedef("t", 2), Ptr(3), Ptr(0)], "typedef void **t;"),
        (
            [Typedef("t", 2), Modifier("volatile", 3), Modifier("const", 4), INT],
            "typedef const volatile int t;",
        ),
        ([Typedef("t", 2), Array(3, 3, 4), INT], "typedef int t[4];"),
        ([Typedef("t", 2), Array(3, 4, 2), Array(4, 4, 3), INT], "typedef int t[2][3];"),
        ([Typedef("t", 2), Array(3, 4, 2), Ptr(4), INT], "typedef int *t[2];"),
        ([Typedef("t", 2), Ptr(3), Array(4, 4, 2), INT], "typedef int (*t)[2];"),
        ([Typedef("t", 2), Modifier("const", 3), Array(4, 4, 2), INT], "typedef int t[2];"),
        ([Typedef("t", 2), FuncProto(3, ()), INT], "typedef int t(void);"),
        (
            [Typedef("t", 2), Ptr(3), FuncProto(0, (Param("a", 4), Param("", 5))), INT, Ptr(0)],
            "typedef void (*t)(int a, void *);",
        ),
        (
            [Typedef("t", 2), Ptr(3), FuncProto(4, (Param("a", 4), Param("", 0))), INT],
            "typedef int (*t)(int a, ...);",
        ),
        (
            # a function that returns a pointer to a function
            [Typedef("t", 2), Ptr(3), FuncProto(4, (Param("", 6),)), Ptr(5), FuncProto(6, ()), INT],
            "typedef int (* (*t)(int))(void);",
        ),
        (
            [Typedef("t", 2), Array(3, 5, 8), Ptr(4), FuncProto(5, ()), INT],
            "typedef int (*t[8])(void);",
        ),
        (
            [Typedef("t", 2), Ptr(3), Modifier("type_tag", 4, "user"), INT],
            'typedef int __attribute__((btf_type_tag("user"))) *t;',
        ),
        (
            [Typedef("t", 2), Ptr(3), Modifier("type_tag", 0, "address_space(1)", attribute=True)],
            "typedef void __attribute__((address_space(1))) *t;",
        ),
        ([Enum("e", 4, (("A", 0), ("B", 7)))], "enum e {\n\tA = 0,\n\tB = 7,\n};"),
        ([Enum("", 4, (("A", -1),), signed=True)], "enum {\n\tA = -1,\n};"),
        (
            [Enum("e", 8, (("A", 1 << 40),), is64=True)],
            "enum e {\n\tA = 1099511627776ULL,\n};",
        ),
        (
            [Enum("e", 8, (("A", 1),), is64=True)],
            "enum e {\n\tA = 1ULL,\n} __attribute__((mode(word)));",
        ),
        ([Enum("e", 1, (("A", 1),))], "enum e {\n\tA = 1,\n} __attribute__((mode(byte)));"),
        ([Fwd("s"), Fwd("u", union=True)], "struct s;\n\nunion u;"),
        ([Struct("empty", 0, ())], "struct empty {};"),
        (
            [Struct("s", 16, (Member("c", 2, 0), Member("l", 3, 64))), CHAR, U64],
            "struct s {\n\tchar c;\n\tlong long unsigned int l;\n};",
        ),
        (
            [Struct("s", 9, (Member("c", 2, 0), Member("l", 3, 8))), CHAR, U64],
            "struct s {\n\tchar c;\n\tlong long unsigned int l;\n} __attribute__((packed));",
        ),
        (
            [Struct("s", 4, (Member("a", 2, 0, 3), Member("b", 2, 5, 7))), U32],
            "struct s {\n\tunsigned int a: 3;\n\tchar: 2;\n\tunsigned int b: 7;\n};",
        ),
        (
            [Struct("s", 8, (Member("a", 2, 0),)), U32],
            "struct s {\n\tunsigned int a;\n\tlong: 0;\n};",
        ),
        (
            [
                Struct("u", 8, (Member("a", 2, 0), Member("", 3, 0)), union=True),
                U32,
                Struct("", 8, (Member("x", 2, 0), Member("y", 2, 32))),
            ],
            (
                "union u {\n\tunsigned int a;\n\tstruct {\n"
                "\t\tunsigned int x;\n\t\tunsigned int y;\n\t};\n};"
            ),
        ),
        # a list: itself through a pointer, and another that is declared ahead
        (
            [
                Struct("s", 16, (Member("next", 2, 0), Member("o", 3, 64))),
                Ptr(1),
                Ptr(4),
                Struct("o", 16, (Member("s", 1, 0),)),
            ],
            (
                "struct o;\n\nstruct s {\n\tstruct s *next;\n\tstruct o *o;\n};\n\n"
                "struct o {\n\tstruct s s;\n};"
            ),
        ),
        # embedded types come first, whatever their ids
        (
            [Struct("s", 4, (Member("o", 2, 0),)), Struct("o", 4, (Member("x", 3, 0),)), U32],
            "struct o {\n\tunsigned int x;\n};\n\nstruct s {\n\tstruct o o;\n};",
        ),
        # one name three times, and the enumerators' name space
        (
            [
                Struct("s", 4, (Member("x", 4, 0),)),
                Struct("s", 4, (Member("y", 4, 0),)),
                Typedef("s", 2),
                U32,
                Enum("e", 4, (("s", 0),)),
            ],
            (
                "struct s {\n\tunsigned int x;\n};\n\nstruct s___2 {\n\tunsigned int y;\n};\n\n"
                "typedef struct s___2 s;\n\nenum e {\n\ts___2 = 0,\n};"
            ),
        ),
        # names that C does not take
        (
            [Struct("Option<u32>", 4, (Member("int", 2, 0),)), U32],
            "struct Option_u32_ {\n\tunsigned int int_;\n};",
        ),
        ([Typedef("t", 2), Int("u64", 8, 64)], "typedef unsigned long long t;"),
        ([Typedef("t", 2), Int("isize", 8, 64, signed=True)], "typedef long long t;"),
        ([Typedef("t", 2), Int("bool", 1, 8, boolean=True)], "typedef _Bool t;"),
        ([Typedef("t", 2), Float("f64", 8)], "typedef double t;"),
        ([Typedef("t", 2), Int("unsigned __int128", 16, 128)], "typedef unsigned __int128 t;"),
        # compilers have their own, and it is not the kernel's
        ([Typedef("__builtin_va_list", 2), Array(3, 3, 1), INT], ""),
        ([Typedef("__gnuc_va_list", 0)], "typedef __builtin_va_list __gnuc_va_list;"),
    ],
)
def test_declarations(types: list[Type], text: str, tmp_path: Path) -> None:
    assert body(*types) == text
    source = tmp_path / "declarations.c"
    source.write_text(c_output.header(Btf(tuple(types))))
    check_c(source)


@pytest.mark.parametrize(
    "row",
    [
        Struct("s", 4, (Member("a", 2, 3, 5), Member("b", 2, 30, 1))),
        Struct("s", 8, (Member("a", 2, 0, 1), Member("b", 3, 8), Member("c", 2, 32, 32))),
        Struct("s", 64, (Member("a", 3, 0), Member("b", 2, 64), Member("c", 4, 320))),
        Struct("s", 7, (Member("a", 3, 0), Member("b", 2, 8), Member("c", 3, 48))),
        Struct("s", 24, (Member("a", 2, 33, 2), Member("b", 4, 64), Member("c", 3, 184))),
        Struct("s", 24, (Member("a", 2, 0), Member("b", 3, 0)), union=True),
        Struct("s", 3, (Member("a", 3, 0, 5), Member("b", 3, 0)), union=True),
        Struct("s", 8, (Member("a", 2, 0),)),
        Struct("s", 64, (Member("a", 2, 0),)),
        Struct("s", 64, (Member("a", 2, 0),), union=True),
        # a bitfield that C would put into the hole before it
        Struct("s", 12, (Member("a", 2, 0), Member("b", 3, 32), Member("c", 2, 64, 20))),
        # bitfields across units, which only packing allows, with and without holes
        Struct("s", 5, (Member("a", 2, 0, 20), Member("b", 2, 20, 20))),
        Struct("s", 32, (Member("a", 2, 0, 20), Member("b", 2, 20, 20), Member("c", 3, 192))),
        Struct("s", 12, (Member("a", 4, 0), Member("b", 2, 64))),
    ],
)
def test_the_compiler_places_members_as_btf_says(row: Struct, tmp_path: Path) -> None:
    btf = Btf((row, U32, CHAR, U64))
    source = tmp_path / "layout.c"
    word = "union" if row.union else "struct"
    source.write_text(f"{c_output.header(btf)}\n{word} s variable;\n")
    found = object_btf(compile_bpf(source))
    (got,) = (found.type(i) for i in found.named("s"))
    assert isinstance(got, Struct)
    assert got.size == row.size
    members = [(m.name, m.bit_offset, m.bitfield_size) for m in got.members if m.name]
    assert members == [(m.name, m.bit_offset, m.bitfield_size) for m in row.members]


def test_kfuncs_are_declared_once_and_roots_select_them() -> None:
    types = (
        *(INT, FuncProto(1, (Param("p", 1),)), Func("f", 2), DeclTag("bpf_kfunc", 3)),
        *(Func("g", 2), DeclTag("bpf_fastcall", 5), DeclTag("bpf_kfunc", 5)),
        *(Func("plain", 2), Typedef("h", 1), Func("h", 2), DeclTag("bpf_kfunc", 10)),
    )
    text = c_output.header(Btf(types))
    assert "extern int f(int p) __weak __ksym;\n" in text
    assert "extern __bpf_fastcall int g(int p) __weak __ksym;\n" in text
    assert "plain" not in text
    assert "extern int h(" not in text  # the name is a typedef's already
    assert "extern" not in c_output.header(Btf(types), kfuncs=False)
    assert "extern" not in c_output.header(Btf(types), roots=[9])
    assert c_output.header(Btf(types), roots=[5]).count("extern") == 1


def test_split_types_come_with_their_base() -> None:
    base = Btf((INT, Enum("", 4, (("USED", 1),))))
    split = Btf((Struct("s", 8, (Member("x", 1, 0), Member("e", 2, 32))),), base=base)
    text = c_output.header(split)
    assert "\tenum {\n\t\tUSED = 1,\n\t} e;\n" in text
    assert text.count("USED") == 1


def _doubling(levels: int) -> list[Type]:
    """Anonymous structs of two members each: written in place, the text doubles per level."""
    rows: list[Type] = [
        Struct("", 4, (Member("a", i + 2, 0), Member("b", i + 2, 0)), union=True)
        for i in range(levels)
    ]
    return [*rows, INT, Typedef("all", 1)]


@pytest.mark.parametrize(
    "types",
    [
        pytest.param([Typedef("a", 2), Typedef("b", 1)], id="typedefs of each other"),
        pytest.param([Modifier("const", 1)], id="const of itself"),
        pytest.param([Ptr(1)], id="pointer to itself"),
        pytest.param([Array(1, 1, 2)], id="array of itself"),
        pytest.param([Struct("s", 4, (Member("x", 1, 0),))], id="struct in itself"),
        pytest.param(
            [Typedef("t", 2), Ptr(3), Struct("", 8, (Member("x", 2, 0),))], id="anonymous"
        ),
        pytest.param([FuncProto(1, ()), Typedef("f", 1)], id="function that returns itself"),
        pytest.param(
            [Typedef("t", 2), FuncProto(0, (Param("", 2),))], id="function that takes itself"
        ),
        pytest.param([Typedef("t", 2), Var("v", 3), INT], id="typedef of a variable"),
        pytest.param([*(Ptr(i + 2) for i in range(100_000)), INT, Typedef("t", 1)], id="pointers"),
        pytest.param([*(Array(i + 2, 1, 2) for i in range(100_000)), INT], id="arrays"),
        pytest.param(
            [Struct(f"s{i}", 4, (Member("x", i + 2, 0),)) for i in range(100_000)] + [INT],
            id="structs in structs",
        ),
        pytest.param(_doubling(60), id="text that doubles"),
        pytest.param(
            [FuncProto(i + 2, (Param("", i + 2),)) for i in range(60)] + [INT],
            id="paths that double",
        ),
        pytest.param([Struct("s", 0xFFFFFFFF, (Member("x", 2, 0),)), INT], id="a hole of 4 GB"),
        pytest.param(
            [
                Typedef("x" * 60000, 3),
                Struct("s", 4, tuple(Member("", 1, 0) for _ in range(60000))),
                INT,
            ],
            id="long names often",
        ),
    ],
)
def test_hostile_types_end_in_bounded_time(types: list[Type]) -> None:
    begun = time.process_time()
    with pytest.raises(BtfError):
        c_output.header(Btf(tuple(types)))
    assert time.process_time() - begun < 5


def test_a_chain_of_a_million_typedefs_is_text() -> None:
    types = [INT, *(Typedef(f"t{i}", i) for i in range(1, 100_000))]
    assert c_output.header(Btf(tuple(types))).count("typedef") == 99_999


def test_names_cannot_break_out_of_their_place() -> None:
    evil = '*/ ; int x; "\n#include <x>\n'
    types = (
        *(Struct(evil, 4, (Member(evil, 2, 0),)), INT, Typedef(evil, 2)),
        *(Enum(evil, 4, ((evil, 1),)), Fwd(evil), Int(evil, 4, 32), Float(evil, 4)),
        *(Typedef("t", 6), Typedef("u", 7), FuncProto(2, (Param(evil, 2),)), Func(evil, 10)),
        *(DeclTag("bpf_kfunc", 11), Modifier("type_tag", 2, evil), Ptr(13), Typedef("v", 14)),
    )
    text = c_output.header(Btf(types))
    assert not any(line.startswith("#include") for line in text.splitlines())
    assert text.count("; int x") == text.count('btf_type_tag("*/ ; int x') == 1
    with pytest.raises(BtfError):
        c_output.header(Btf((Typedef("t", 2), Modifier("type_tag", 3, evil, attribute=True), INT)))
