"""Rows as bpftool writes them: against golden lines, and against bpftool itself."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from beebox.btf import codec, raw_output
from beebox.btf.c import output as c_output
from beebox.btf.types import (
    Array,
    Btf,
    Datasec,
    DeclTag,
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

EVERY_KIND: tuple[tuple[Type, str], ...] = (
    (
        Int("int", 4, 32, signed=True),
        "[1] INT 'int' size=4 bits_offset=0 nr_bits=32 encoding=SIGNED",
    ),
    (Int("c", 1, 8, char=True), "[2] INT 'c' size=1 bits_offset=0 nr_bits=8 encoding=CHAR"),
    (Int("b", 1, 8, boolean=True), "[3] INT 'b' size=1 bits_offset=0 nr_bits=8 encoding=BOOL"),
    (Int("u", 4, 5, offset=3), "[4] INT 'u' size=4 bits_offset=3 nr_bits=5 encoding=(none)"),
    (Ptr(0), "[5] PTR '(anon)' type_id=0"),
    (Array(1, 4, 7), "[6] ARRAY '(anon)' type_id=1 index_type_id=4 nr_elems=7"),
    (
        Struct("s", 8, (Member("a", 1, 0), Member("", 8, 32))),
        (
            "[7] STRUCT 's' size=8 vlen=2\n"
            "\t'a' type_id=1 bits_offset=0\n\t'(anon)' type_id=8 bits_offset=32"
        ),
    ),
    (
        Struct("", 4, (Member("x", 1, 0, 3), Member("y", 1, 0)), union=True),
        (
            "[8] UNION '(anon)' size=4 vlen=2\n"
            "\t'x' type_id=1 bits_offset=0 bitfield_size=3\n\t'y' type_id=1 bits_offset=0"
        ),
    ),
    (
        Enum("e", 4, (("A", 0), ("B", (1 << 32) - 1))),
        "[9] ENUM 'e' encoding=UNSIGNED size=4 vlen=2\n\t'A' val=0\n\t'B' val=4294967295",
    ),
    (
        Enum("", 4, (("M", -1),), signed=True),
        "[10] ENUM '(anon)' encoding=SIGNED size=4 vlen=1\n\t'M' val=-1",
    ),
    (
        Enum("w", 8, (("W", 1 << 40),), is64=True),
        "[11] ENUM64 'w' encoding=UNSIGNED size=8 vlen=1\n\t'W' val=1099511627776ULL",
    ),
    (
        Enum("v", 8, (("V", -1),), signed=True, is64=True),
        "[12] ENUM64 'v' encoding=SIGNED size=8 vlen=1\n\t'V' val=-1LL",
    ),
    (Fwd("f"), "[13] FWD 'f' fwd_kind=struct"),
    (Fwd("g", union=True), "[14] FWD 'g' fwd_kind=union"),
    (Typedef("t", 1), "[15] TYPEDEF 't' type_id=1"),
    (Modifier("volatile", 1), "[16] VOLATILE '(anon)' type_id=1"),
    (Modifier("const", 1), "[17] CONST '(anon)' type_id=1"),
    (Modifier("restrict", 5), "[18] RESTRICT '(anon)' type_id=5"),
    (Modifier("type_tag", 1, "user"), "[19] TYPE_TAG 'user' type_id=1"),
    (
        FuncProto(1, (Param("p", 5), Param("", 0))),
        "[20] FUNC_PROTO '(anon)' ret_type_id=1 vlen=2\n\t'p' type_id=5\n\t'(anon)' type_id=0",
    ),
    (Func("fun", 20, Linkage.GLOBAL), "[21] FUNC 'fun' type_id=20 linkage=global"),
    (Func("own", 20, Linkage.STATIC), "[22] FUNC 'own' type_id=20 linkage=static"),
    (Func("far", 20, Linkage.EXTERN), "[23] FUNC 'far' type_id=20 linkage=extern"),
    (Var("var", 1, Linkage.GLOBAL), "[24] VAR 'var' type_id=1, linkage=global"),
    (
        Datasec(".data", 4, (SectionVar(24, 0, 4),)),
        "[25] DATASEC '.data' size=4 vlen=1\n\ttype_id=24 offset=0 size=4 (VAR 'var')",
    ),
    (Float("double", 8), "[26] FLOAT 'double' size=8"),
    (DeclTag("tag", 7, 1), "[27] DECL_TAG 'tag' type_id=7 component_idx=1"),
    (DeclTag("all", 7), "[28] DECL_TAG 'all' type_id=7 component_idx=-1"),
)
TABLE = Btf(tuple(row for row, _ in EVERY_KIND))


def bpftool(*words: str | Path) -> str:
    tool = shutil.which("bpftool")
    if tool is None:
        pytest.skip("bpftool is not installed")
    return subprocess.run([tool, *words], capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize(("type_id", "line"), list(enumerate((line for _, line in EVERY_KIND), 1)))
def test_each_kind_has_its_line(type_id: int, line: str) -> None:
    assert list(raw_output.text(TABLE, [type_id])) == [line + "\n"]


def test_bpftool_writes_the_same_lines(tmp_path: Path) -> None:
    file = tmp_path / "every.btf"
    file.write_bytes(codec.encode(TABLE))
    assert "".join(raw_output.text(TABLE)) == bpftool("btf", "dump", "file", file)


def test_bpftool_writes_the_same_objects(tmp_path: Path) -> None:
    file = tmp_path / "every.btf"
    file.write_bytes(codec.encode(TABLE))
    theirs = json.loads(bpftool("-j", "btf", "dump", "file", file))["types"]
    theirs[8]["values"][1]["val"] &= 0xFFFFFFFF  # bpftool 7.1 sign-extends what is unsigned
    assert list(raw_output.rows(TABLE)) == theirs


def test_split_types_are_numbered_behind_their_base() -> None:
    split = Btf((Ptr(1),), base=TABLE)
    assert list(raw_output.text(split)) == ["[29] PTR '(anon)' type_id=1\n"]


def test_bpftool_writes_split_types_alike(tmp_path: Path) -> None:
    base = Btf(
        (Int("int", 4, 32, signed=True), Struct("s", 4, (Member("x", 1, 0),)), Typedef("t", 1))
    )
    members = (Member("p", 4, 0), Member("s", 2, 64), Member("x", 3, 96))
    split = Btf((Ptr(2), Struct("m", 16, members), Typedef("s", 5)), base=base)
    files = [tmp_path / name for name in ("base.btf", "split.btf")]
    for file, table in zip(files, (base, split), strict=True):
        file.write_bytes(codec.encode(table))
    rows, header = (
        bpftool("-B", files[0], "btf", "dump", "file", files[1], "format", form)
        for form in ("raw", "c")
    )
    assert "".join(raw_output.text(split)) == rows
    assert c_output.header(split) == header
    assert codec.parse(files[1].read_bytes(), codec.parse(files[0].read_bytes())) == split


def test_a_name_stays_on_its_line() -> None:
    (line,) = raw_output.text(Btf((Typedef("a\n[2] \x1b[31m", 0),)))
    assert line == "[1] TYPEDEF 'a\\n[2] \\x1b[31m' type_id=0\n"
