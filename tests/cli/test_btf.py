"""``beebox btf``: its sources, formats and refusals."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from beebox.btf import codec
from beebox.btf.types import Btf, Int, Member, Ptr, Struct

Beebox = Callable[..., Any]

BASE = Btf((Int("int", 4, 32, signed=True), Struct("s", 4, (Member("x", 1, 0),))))
SPLIT = Btf((Ptr(2),), base=BASE)


@pytest.fixture
def base(tmp_path: Path) -> Path:
    file = tmp_path / "base.btf"
    file.write_bytes(codec.encode(BASE))
    return file


def test_rows_are_the_default(beebox: Beebox, base: Path) -> None:
    done = beebox("btf", "dump", "file", base)
    assert done.status == 0
    assert done.out == (
        "[1] INT 'int' size=4 bits_offset=0 nr_bits=32 encoding=SIGNED\n"
        "[2] STRUCT 's' size=4 vlen=1\n\t'x' type_id=1 bits_offset=0\n"
    )
    assert beebox("btf", "dump", "file", base, "format", "raw").out == done.out


def test_json_has_the_keys_of_bpftool(beebox: Beebox, base: Path) -> None:
    expected = {
        "id": 2,
        "kind": "STRUCT",
        "name": "s",
        "size": 4,
        "vlen": 1,
        "members": [{"name": "x", "type_id": 1, "bits_offset": 0}],
    }
    assert beebox("btf", "dump", "-j", "file", base).json["types"][1] == expected
    assert beebox("-p", "btf", "dump", "file", base, "root_id", "2").json["types"] == [expected]


def test_c_is_a_header(beebox: Beebox, base: Path) -> None:
    done = beebox("btf", "dump", "file", base, "format", "c")
    assert done.status == 0
    assert done.out.startswith("#ifndef __VMLINUX_H__\n")
    assert "struct s {\n\tint x;\n};\n" in done.out
    assert beebox("btf", "dump", "file", base, "format", "c", "unsorted").out == done.out


def test_roots_select(beebox: Beebox, base: Path) -> None:
    assert beebox("btf", "dump", "file", base, "root_id", "2").out.startswith("[2] ")
    c = beebox("btf", "dump", "file", base, "root_id", "1", "format", "c").out
    assert "struct" not in c
    done = beebox("btf", "dump", "file", base, "root_id", "3")
    assert (done.status, done.out) == (2, "")
    assert "invalid root ID: 3" in done.err


def test_split_types_take_a_base(beebox: Beebox, base: Path, tmp_path: Path) -> None:
    split = tmp_path / "split.btf"
    split.write_bytes(codec.encode(SPLIT))
    done = beebox("btf", "dump", "-B", base, "file", split)
    assert done.out == "[3] PTR '(anon)' type_id=2\n"
    assert beebox("btf", "dump", "file", split).status == 2


def test_a_python_source_has_types(beebox: Beebox) -> None:
    done = beebox("btf", "dump", "file", "examples/firewall.py")
    assert done.status == 0
    assert "[1] " in done.out
    assert "DATASEC 'license'" in done.out


def test_a_c_source_has_types(beebox: Beebox, tmp_path: Path) -> None:
    file = tmp_path / "one.c"
    file.write_text("struct one { int a : 3; } one;\n")
    done = beebox("btf", "dump", "file", file)
    assert "STRUCT 'one' size=4 vlen=1\n\t'a' type_id=" in done.out
    assert "bitfield_size=3" in done.out


@pytest.mark.parametrize(
    "words",
    [
        ["prog", "x"],
        ["file"],
        ["file", "BASE", "format"],
        ["file", "BASE", "format", "yaml"],
        ["file", "BASE", "format", "c", "format", "c"],
        ["file", "BASE", "root_id", "-1"],
        ["file", "BASE", "root_id", "99999999999999999999"],
        ["file", "BASE", "verbose", "1"],
        ["file", "BASE", "format", "raw", "unsorted"],
        ["file", "no-such-file"],
        ["file", "README.md"],
        ["file", "tests/cli/count.s"],  # without types
        ["-j", "file", "BASE", "format", "c"],
    ],
)
def test_what_is_wrong_is_told(beebox: Beebox, base: Path, words: list[str]) -> None:
    done = beebox("btf", "dump", *(base if word == "BASE" else word for word in words))
    assert done.status == 2
    if "-j" in words:
        assert done.json["error"]["kind"] == "InputError"
    else:
        assert done.err.startswith("beebox: error: ")
        assert done.out == ""


@pytest.mark.linux
def test_the_running_kernel_by_name_and_by_id(beebox: Beebox) -> None:
    by_name = beebox("btf", "dump", "file", "kernel", "root_id", "1", "root_id", "9")
    by_id = beebox("btf", "dump", "id", "1", "root_id", "1", "root_id", "9")
    assert by_name.status == by_id.status == 0
    assert by_name.out == by_id.out != ""
    gone = beebox("btf", "dump", "-j", "id", "4000000000")
    assert gone.status == 1
    assert gone.json["error"]["kind"] == "SyscallError"


def test_differences_by_name(beebox: Beebox, base: Path, tmp_path: Path) -> None:
    after = tmp_path / "after.btf"
    changed = Struct("s", 12, (Member("y", 1, 0), Member("x", 1, 32), Member("b", 1, 67, 2)))
    after.write_bytes(codec.encode(Btf((BASE.types[0], changed, Struct("new", 0, ())))))
    done = beebox("btf", "diff", base, after)
    assert done.status == 1
    assert done.out.splitlines() == [
        "+ struct new",
        "~ struct s",
        "    ~ size 4 -> 12 bytes",
        "    ~ x moves from byte 0 to byte 4",
        "    + y: int at byte 0",
        "    + b: int : 2 at byte 8, bit 3",
    ]
    assert done.err == "1 added, 1 changed\n"
    told = beebox("btf", "diff", "-j", base, after, "s").json
    assert (told["added"], told["removed"]) == ([], [])
    (struct,) = told["changed"]
    assert (struct["kind"], struct["name"]) == ("struct", "s")
    assert struct["changes"][0] == {"change": "resized", "before": 4, "after": 12}
    assert struct["changes"][2] == {
        "change": "field_added",
        "path": "y",
        "bit_offset": 0,
        "type": "int",
    }
    back = beebox("btf", "diff", after, base, "new")
    assert (back.status, back.out) == (1, "- struct new\n")


def test_no_differences(beebox: Beebox, base: Path) -> None:
    done = beebox("btf", "diff", base, base)
    assert (done.status, done.out, done.err) == (0, "", "no differences\n")
    assert beebox("btf", "diff", base, "no-such-file").status == 2


TRACER = """
struct task { int pid; int tgid; } __attribute__((preserve_access_index));
__attribute__((section("raw_tp/sys_enter"), used)) int tracer(void **ctx)
{
    struct task *task = *ctx;
    return task->tgid;
}
"""


def test_types_made_small(beebox: Beebox, tmp_path: Path) -> None:
    kernel, tracer, target = (tmp_path / name for name in ("kernel.btf", "tracer.c", "min.btf"))
    members = tuple(Member(name, 1, 32 * at) for at, name in enumerate(["a", "pid", "b", "tgid"]))
    kernel.write_bytes(codec.encode(Btf((BASE.types[0], Ptr(1), Struct("task", 16, members)))))
    tracer.write_text(TRACER)
    done = beebox("gen", "min_core_btf", kernel, target, tracer)
    assert (done.status, done.out) == (0, "")
    assert codec.parse(target.read_bytes()) == Btf(
        (BASE.types[0], Struct("task", 16, (Member("tgid", 1, 96),)))
    )
    told = beebox("gen", "min_core_btf", "-j", kernel, target, tracer, tracer).json
    assert told == {
        "file": str(target),
        "bytes": len(target.read_bytes()),
        "types": 2,
        "inputs": [str(tracer), str(tracer)],
    }
    dumps = [
        beebox("prog", "dump", "xlated", "-j", tracer, "--btf", btf) for btf in (kernel, target)
    ]
    assert dumps[0].status == 0
    assert dumps[0].json == dumps[1].json
    assert "+ 12" in dumps[0].out
    refused = beebox("gen", "min_core_btf", kernel, kernel, tracer)
    assert refused.status == 2


@pytest.mark.parametrize(
    "words",
    [
        ("btf", "dump", "file", "BAD"),
        ("btf", "diff", "BAD", "BAD"),
        ("verify", "examples/count.py", "--btf", "BAD"),
        ("compile", "SOURCE", "--btf", "BAD"),
        ("gen", "min_core_btf", "BAD", "OUT", "examples/count.py"),
    ],
    ids=lambda words: " ".join(words[:2]),
)
def test_types_that_are_none_are_named(
    beebox: Beebox, words: tuple[str, ...], tmp_path: Path
) -> None:
    (tmp_path / "bad.btf").write_bytes(b"not BTF, and longer than its header")
    (tmp_path / "source.c").write_text('#include "vmlinux.h"\n')
    places = {
        "BAD": tmp_path / "bad.btf", "OUT": tmp_path / "out.btf", "SOURCE": tmp_path / "source.c",
    }  # fmt: skip
    done = beebox(*[places.get(word, word) for word in words])
    assert done.status == 2
    assert "bad.btf: BTF: " in done.err


def test_diff_of_a_type_that_neither_has(beebox: Beebox, base: Path) -> None:
    assert beebox("btf", "diff", base, base, "s").status == 0
    assert beebox("btf", "diff", base, base, "s", "no_such_type").status == 2
