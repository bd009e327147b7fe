"""The shipped headers are those that the tables write, and declare helpers as libbpf does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from beebox.clang.generated import FILES
from beebox.clang.run import INCLUDE
from beebox.tables.helpers import HELPERS

LIBBPF = Path("/usr/include/bpf/bpf_helper_defs.h")
_PROTOTYPE = re.compile(
    r"^(?:__bpf_fastcall )?static (.*?)\(\* ?(?:const )?bpf_(\w+)\)\((.*)\) = \(void \*\) (\d+);",
    re.MULTILINE,
)
_WIDTHS = {
    "__u16": (16, 0),
    "__be16": (16, 0),
    "__u32": (32, 0),
    "__wsum": (32, 0),
    "__u64": (64, 0),
    "unsigned long": (64, 0),
    "int": (32, 1),
    "__s32": (32, 1),
    "long": (64, 1),
    "__s64": (64, 1),
    "void": (0, 0),
    "...": (0, 1),
}


def prototypes(text: str) -> dict[str, tuple[str, list[str], str]]:
    """By helper: its result, the types of its arguments, its number."""
    found = {}
    for result, name, args, number in _PROTOTYPE.findall(text):
        parts = [] if args == "void" else [each.strip() for each in args.split(",")]
        types = [each if each == "..." else re.sub(r"\w+$", "", each).strip() for each in parts]
        found[name] = (result.strip(), types, number)
    return found


def kind(c_type: str) -> tuple[int, int] | str:
    """What decides how a value is passed: pointer, or width and sign."""
    return "pointer" if c_type.endswith("*") else _WIDTHS[c_type]


@pytest.mark.parametrize("name", FILES)
def test_current(name: str):
    assert (INCLUDE / name).read_text(encoding="utf-8") == FILES[name](), "run make docs"


def test_every_helper_is_declared():
    declared = prototypes(FILES["bpf/bpf_helper_defs.h"]())
    assert {name: int(row[2]) for name, row in declared.items()} == {
        row.name: row.id for row in HELPERS.values()
    }


def test_as_libbpf_declares_them():
    if not LIBBPF.exists():
        pytest.skip(f"no {LIBBPF}")
    ours = prototypes(FILES["bpf/bpf_helper_defs.h"]())
    theirs = prototypes(LIBBPF.read_text())
    assert len(theirs) > 200
    for name, (result, args, number) in theirs.items():
        mine, types, id_ = ours[name]
        assert id_ == number
        assert kind(mine) == kind(result), name
        if result.endswith("*"):
            assert mine == result, name
        assert [kind(each) for each in types] == [kind(each) for each in args], name
