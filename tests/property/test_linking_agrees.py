"""Random declarations and definitions in several objects: bpftool and we link the same."""

from __future__ import annotations

import itertools
import random
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from c_objects import compile_c
from same_specs import assert_same_object

from beebox.errors import InputError, LinkError
from beebox.obj import reader
from beebox.obj.model import ObjectSpec
from beebox.obj.static_linker.link import link_objects

CASES = 40
VARIABLE_DECLARATIONS = (
    "",
    "extern {type} {name};",
    "extern __weak {type} {name};",
    "extern __hidden {type} {name};",
)
VARIABLES = (
    "{type} {name} = 3;",
    "{type} {name};",
    "__hidden {type} {name} = 4;",
    "const volatile {type} {name} = 5;",
    "static volatile {type} {name} = 6;",
)
FUNCTION_DECLARATIONS = (
    "",
    "extern {type} {name}(int x);",
    "extern __weak {type} {name}(int x);",
)
BODY = '__noinline {type} {name}(int x) {{ asm volatile(""); return x * {number}; }}'
FUNCTIONS = (
    BODY,
    BODY,
    f"__weak {BODY}",
    f"static {BODY}",
    f"__hidden {BODY}",
    f"__hidden __weak {BODY}",
)
MAP = (
    "struct {{ __uint(type, 1); __uint(max_entries, {entries}); __type(key, int);"
    ' __type(value, long); }} map __attribute__((section(".maps")));'
)
Inputs = list[tuple[str, bytes]]


def units(dice: random.Random) -> list[str]:
    """Sources of two or three objects; most names are defined in one of them."""
    count = dice.choice([2, 2, 3])
    lines: list[list[str]] = [[] for _ in range(count)]
    used: list[list[str]] = [["0"] for _ in range(count)]
    for name in ("v0", "v1", "f0", "f1"):
        declarations, definitions = (
            (VARIABLE_DECLARATIONS, VARIABLES)
            if name[0] == "v"
            else (FUNCTION_DECLARATIONS, FUNCTIONS)
        )
        home = dice.randrange(count)
        for number in range(count):
            forms = definitions if number == home or dice.random() < 0.08 else declarations
            type_ = "long" if dice.random() < 0.02 else "int"
            form = dice.choice(forms).format(type=type_, name=name, number=dice.randrange(2, 99))
            if form:
                lines[number].append(form)
                used[number].append(name if name[0] == "v" else f"{name}({number + 1})")
    home = dice.randrange(count)
    for number in range(count):
        entries = 2 if dice.random() < 0.05 else 1
        if number == home or dice.random() < 0.3:
            definition = (MAP if number == home else f"extern {MAP}").format(entries=entries)
            lines[number].append(definition)
            used[number].append("(long)bpf_map_lookup_elem(&map, (int[]){0})")
        body = f"return {' + '.join(used[number])};"
        lines[number].append(f'SEC("xdp") int p{number}(void *c) {{ {body} }}')
    return ["\n".join(rows) for rows in lines]


def by_bpftool(tool: str, folder: Path, inputs: Inputs) -> bytes | None:
    for name, data in inputs:
        (folder / name).write_bytes(data)
    out = folder / "out.o"
    words = [tool, "gen", "object", out, *(folder / name for name, _ in inputs)]
    done = subprocess.run(words, check=False, capture_output=True)
    return out.read_bytes() if done.returncode == 0 else None


def in_some_order(tool: str, folder: Path, inputs: Sequence[tuple[str, bytes]]) -> bool:
    orders = itertools.permutations(inputs)
    return any(by_bpftool(tool, folder, list(order)) is not None for order in orders)


def same(ours: bytes, theirs: bytes) -> bool:
    """Whether both can be loaded, and are the same then."""
    try:
        specs = [reader.read(data) for data in (ours, theirs)]
        for spec in specs:
            dict(spec.functions)
    except InputError:
        return False
    assert_same_object(*map(unnamed, specs))
    return True


def unnamed(spec: ObjectSpec) -> ObjectSpec:
    """Without names of variables, which bpftool leaves out with DWARF."""
    functions = {name: replace(row, variables=()) for name, row in spec.functions.items()}
    return replace(spec, functions=functions)


def test_random_objects(tmp_path: Path) -> None:
    tool = shutil.which("bpftool")
    if tool is None:
        pytest.skip("bpftool not found")
    dice = random.Random(12)
    linked = refused = loadable = 0
    for _ in range(CASES):
        parts = units(dice)
        inputs = [(f"{number}.o", compile_c(part)) for number, part in enumerate(parts)]
        theirs = by_bpftool(tool, tmp_path, inputs)
        try:
            ours = link_objects(inputs).data
        except LinkError:
            assert theirs is None, "\n---\n".join(parts)
            refused += 1
            continue
        linked += 1
        if theirs is None:
            # libbpf's linker takes a weak definition for strong after a strong extern.
            assert in_some_order(tool, tmp_path, inputs), "\n---\n".join(parts)
        else:
            loadable += same(ours, theirs)
    assert min(linked, refused, loadable) > 5
