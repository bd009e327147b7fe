"""C laid out by clang, written as C from its BTF, is laid out by clang the same again.

And whatever types refer to each other, there is text or an error, soon.
"""

from __future__ import annotations

import contextlib
import random
import time
from itertools import pairwise
from pathlib import Path

import pytest
from c_headers import compile_bpf, object_btf, places

from beebox.btf import raw_output
from beebox.btf.c import output as c_output
from beebox.btf.diff import diff
from beebox.btf.types import (
    Array,
    Btf,
    DeclTag,
    Enum,
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

SCALARS = ("char", "short", "int", "long", "long long", "unsigned char", "unsigned", "_Bool")
TAG = '__attribute__((btf_type_tag("user")))'
BITFIELDS = {"char": 8, "short": 16, "int": 32, "unsigned": 32, "long": 64, "_Bool": 1}

QUALIFIERS = (" restrict ", "", "", " const ", " volatile ", f" {TAG} ", f" {TAG} const ")
FOLLOWS = {
    "": ("pointer", "pointer", "array"),
    "pointer": ("pointer", "array", "function"),
    "array": ("pointer", "array"),
    "function": ("pointer",),
}
PRELUDE = """
struct other; struct unknown;
enum small { A } __attribute__((mode(byte)));
enum wide { B = 1ull << 40 };
typedef unsigned word;
typedef int handler(struct other *, word (*)(void));
"""


class Program:
    """Random structs, each of which may hold those before it."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._count = 0

    def source(self, structs: int) -> str:
        parts = [PRELUDE]
        for number in range(structs):
            word = self._random.choice(["struct", "struct", "struct", "union"])
            parts.append(
                f"{word} s{number} {{\n{self._members(number, 0)}}} {self._attribute()};\n"
            )
            parts.append(f"{word} s{number} v{number};\n")
        return "".join(parts)

    def _attribute(self) -> str:
        kinds = ["", "", "", "packed", "aligned(16)", "aligned(64)", "packed, aligned(2)"]
        kind = self._random.choice(kinds)
        return f"__attribute__(({kind}))" if kind else ""

    def _members(self, number: int, depth: int) -> str:
        return "".join(
            "\t" * (depth + 1) + self._member(number, depth) + "\n"
            for _ in range(self._random.randint(1, 7))
        )

    def _member(self, number: int, depth: int) -> str:
        pick = self._random.random()
        self._count += 1
        name = f"m{self._count}"
        if pick < 0.35:
            kind = self._random.choice(list(BITFIELDS))
            width = self._random.randint(1, BITFIELDS[kind])
            if self._random.random() < 0.1:
                return f"{kind} : {self._random.choice([0, width])};"
            return f"{kind} {name} : {width};"
        if pick < 0.45 and depth < 2:
            word = self._random.choice(["struct", "union"])
            inner = self._members(number, depth + 1)
            shown = self._random.choice(["", name, f"{name}[2]", f"*{name}"])
            return f"{word} {{\n{inner}}} {self._attribute()} {shown};"
        if pick < 0.5 and number:
            return f"typeof(v{self._random.randrange(number)}) {name};"
        if pick < 0.55:
            return f"enum {self._random.choice(['small', 'wide'])} {name};"
        if pick < 0.7:
            return f"{self._base()} {self._declarator(name)};"
        kind = self._random.choice([*SCALARS, "void *", "struct unknown *"])
        dimension = self._random.choice(["", "", "", "[3]", "[2][5]", "[0]"])
        attribute = self._random.choice(["", "", "", "__attribute__((aligned(32)))"])
        return f"{kind} {name}{dimension} {attribute};"

    def _base(self) -> str:
        kind = self._random.choice([*SCALARS, "struct other", "enum small", "word", "handler"])
        if kind == "handler":
            return kind
        return f"{self._random.choice(['', '', 'const ', 'volatile ', 'const volatile '])}{kind}"

    def _declarator(self, name: str) -> str:
        """Pointers, arrays and functions around a name, as C allows them; a pointer at the end."""
        around = [""]
        for _ in range(self._random.randint(0, 4)):
            around.append(self._random.choice(FOLLOWS[around[-1]]))
        text = name
        for kind, behind in pairwise([*around[1:], "pointer"]):
            match kind:
                case "pointer":
                    text = self._pointer(text, to_function=behind == "function")
                case "array":
                    text = (f"({text})" if text[0] == "*" else text) + "[3]"
                case _:
                    params = [
                        "void",
                        "int, ...",
                        "struct other *, int (*)(char)",
                        "const word *[2]",
                    ]
                    text = f"({text})({self._random.choice(params)})"
        return self._pointer(text, to_function=True)  # perhaps: of the type handler

    def _pointer(self, text: str, *, to_function: bool) -> str:
        qualifiers = QUALIFIERS[1:] if to_function else QUALIFIERS
        return f"*{self._random.choice(qualifiers)}{text}"


@pytest.mark.parametrize("seed", range(6))
def test_a_layout_survives_the_header(seed: int, tmp_path: Path) -> None:
    source = tmp_path / "first.c"
    source.write_text(Program(seed).source(40))
    first = object_btf(compile_bpf(source))
    again = tmp_path / "again.c"
    variables = "".join(
        f"{'union' if row.union else 'struct'} {row.name} {row.name}_;\n" for row in structs(first)
    )
    again.write_text(f"{c_output.header(first)}\n{variables}")
    second = object_btf(compile_bpf(again))
    found = {row.name: row for row in structs(second)}
    for row in structs(first):
        other = found[row.name]
        assert other.size == row.size, row.name
        assert list(places(second, other)) == list(places(first, row)), row.name
    kinds = {"struct", "union", "enum", "typedef"}
    assert [each for each in diff(first, second) if each.kind in kinds] == []


def structs(btf: Btf) -> list[Struct]:
    return [row for row in btf.types if isinstance(row, Struct) and row.name.startswith("s")]


def any_type(chance: random.Random, types: int) -> Type:
    """A row of any kind that refers to any of ``types`` types, itself among them."""
    name = chance.choice(
        ["", "", "a", "b", "a", "int", "odd name", "bpf_kfunc", "__builtin_va_list"]
    )

    def some() -> int:
        return chance.randint(0, types)

    def some_members() -> tuple[Member, ...]:
        rows = range(chance.randint(0, 4))
        return tuple(
            Member(name, some(), chance.randint(0, 200), chance.choice([0, 0, 3])) for _ in rows
        )

    match chance.randrange(14):
        case 0:
            return Int(name, 4, chance.choice([32, 32, 7]), signed=chance.random() < 0.5)
        case 1 | 2:
            return Ptr(some())
        case 3:
            return Array(some(), some(), chance.choice([0, 1, 7, 1 << 31]))
        case 4 | 5 | 6:
            size = chance.choice([0, 1, 8, 24, 64, 64, 64, 1 << 31])
            return Struct(name, size, some_members(), union=chance.random() < 0.3)
        case 7:
            values = tuple((name, chance.randint(-5, 5)) for _ in range(chance.randint(0, 3)))
            return Enum(name, chance.choice([1, 2, 4, 8]), values, signed=True)
        case 8:
            return Fwd(name, union=chance.random() < 0.5)
        case 9:
            return Typedef(name, some())
        case 10:
            return Modifier(chance.choice(["const", "volatile", "type_tag"]), some(), name)
        case 11:
            params = tuple(Param(name, some()) for _ in range(chance.randint(0, 3)))
            return FuncProto(some(), params)
        case 12:
            return Func(name, some())
        case _:
            return chance.choice([Var(name, some()), DeclTag(name, some())])


def test_any_table_gives_text_or_an_error_soon() -> None:
    chance = random.Random(1)
    texts = 0
    for _ in range(800):
        types = chance.randint(1, 12)
        table = Btf(tuple(any_type(chance, types) for _ in range(types)))
        begun = time.process_time()
        list(raw_output.text(table))
        with contextlib.suppress(BtfError):
            texts += bool(c_output.header(table))
        assert time.process_time() - begun < 3
    assert 200 < texts < 800
