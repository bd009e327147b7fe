"""Names and integer types of helper arguments against the comments of the uapi header."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest

from beebox.tables.helpers import HELPERS, ArgKind, Helper, RetKind

HEADER = Path("/usr/include/linux/bpf.h")
INTEGERS = {
    "u16": (16, False),
    "__be16": (16, False),
    "u32": (32, False),
    "__wsum": (32, False),
    "s32": (32, True),
    "int": (32, True),
    "u64": (64, False),
    "size_t": (64, False),
    "long": (64, True),
    "s64": (64, True),
}
SIZED = {ArgKind.ANYTHING, ArgKind.CONST_SIZE, ArgKind.CONST_SIZE_OR_ZERO}
RENAMED = {"from": "from_"}
"""Words of Python."""


@cache
def prototypes() -> dict[str, tuple[str, list[tuple[str, str]]]]:
    """By helper: the result's type, and each argument's type and name."""
    text = HEADER.read_text()
    found = {}
    for result, name, written in re.findall(
        r"^ \* (\S[^\t\n]*?\**)bpf_(\w+)\(([^\n]*)\)$", text, re.MULTILINE
    ):
        if written == "void":
            found[name] = (result.strip(), [])
            continue
        params = re.sub(r"\(\*(\w+)\)\([^)]*\)", r"*\1", written)  # a callback
        split = [
            re.fullmatch(r"(.*?[\s*])(\w+|\.\.\.)", each.strip()) for each in params.split(",")
        ]
        found[name] = (
            result.strip(),
            [(each[1].strip(), each[2]) if each else ("...", "...") for each in split],
        )
    return found


@pytest.fixture(scope="module")
def documented() -> list[Helper]:
    """The rows that the installed header knows."""
    if not HEADER.exists():
        pytest.skip(f"no {HEADER}")
    rows = [row for row in HELPERS.values() if row.name in prototypes()]
    assert len(rows) >= 200
    return rows


def test_arguments(documented: list[Helper]):
    for row in documented:
        _, params = prototypes()[row.name]
        named = [each for each in params if each[1] != "..."]
        assert len(named) == len(row.args), row.name
        for (c_type, name), arg in zip(named, row.args, strict=True):
            if arg.kind is not ArgKind.CTX:
                assert arg.name == RENAMED.get(name, name), row.name
            if arg.kind in SIZED and not c_type.endswith("*"):
                assert (arg.bits, arg.signed) == INTEGERS[c_type], (row.name, name)


def test_results(documented: list[Helper]):
    for row in documented:
        result, _ = prototypes()[row.name]
        if row.ret is RetKind.INTEGER and result != "void":
            assert (row.ret_bits, row.ret_signed) == INTEGERS[result], row.name
        elif row.ret is RetKind.VOID:
            assert result in {"void", "long"}, row.name
        elif row.ret_type_name and result != "long":
            assert result == f"struct {row.ret_type_name} *", row.name


def test_variadic(documented: list[Helper]):
    for row in documented:
        assert row.variadic == any(name == "..." for _, name in prototypes()[row.name][1])
