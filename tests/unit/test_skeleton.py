"""Skeletons: what they declare, how they are written, and an object used through one."""

from __future__ import annotations

import ast
import importlib.util
import re
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from beebox.btf.types import (
    Array,
    Btf,
    Datasec,
    Enum,
    Int,
    Linkage,
    Member,
    SectionVar,
    Struct,
    Typedef,
    Var,
)
from beebox.errors import BtfError, InputError, KeyNotFound
from beebox.obj.assembly.source import read_assembly
from beebox.obj.model import MapSpec, ObjectSpec
from beebox.obj.packed import pack, unpack
from beebox.obj.reader import read
from beebox.obj.skeleton import write_skeleton
from beebox.tables.map_types import MapType

C_FOLDER = Path(__file__).parents[1] / "data/c"
FRAME = bytes(64)
KERNELS = ("userspace", pytest.param("linux", marks=pytest.mark.linux))

ODD = """
.license "GPL"
.map class hash key=struct list value=union either max_entries=4
.map "a b" percpu_array key=unsigned int value=struct class max_entries=1
.map jobs queue value=enum state max_entries=4
.map others prog_array max_entries=4
.map blank lru_hash key=6 value=3 max_entries=4
.data .data.hot
.var int __hidden
.var int hidden
.var struct class opened
.var char "with.dot"[4]
.var double ratio = hex(000000000000f03f)
.var _Bool flag
.data .rodata frozen flags=rdonly_prog
.var const struct outer Any = {.inner = {.deep = 3}}
.section "?xdp"
.proto int def(void *ctx)
def:
    r0 = 2
    exit
.section "xdp"
"x y": r0 = 1
    exit
.types
struct list {
    int bytes;
    int from;
    int __mangled;
    char text[8];
    int *next;
}
union either {
    int number;
    enum state state;
}
enum state { // one word each
    IDLE, BUSY
}
struct class {
    unsigned long value;
    _Bool known[3];
}
struct outer {
    struct {
        short deep;
    } inner;
}
"""


def module(text: str, folder: Path) -> Any:
    """The skeleton imported, as a user would."""
    file = folder / "made_skeleton.py"
    file.write_text(text)
    spec = importlib.util.spec_from_file_location("made_skeleton", file)
    assert spec is not None
    assert spec.loader is not None
    found = importlib.util.module_from_spec(spec)
    sys.modules["made_skeleton"] = found  # where TypedDict looks names up
    spec.loader.exec_module(found)
    return found


@pytest.mark.parametrize("path", sorted(C_FOLDER.glob("*.c")), ids=lambda path: path.stem)
def test_every_object_has_a_skeleton(path: Path, clang_object: Callable[..., bytes]):
    spec = read(clang_object(path.stem))
    text = write_skeleton(spec, path.stem)
    assert text == write_skeleton(spec, path.stem)
    classes = {node.name: node for node in ast.parse(text).body if isinstance(node, ast.ClassDef)}
    assert len(classes["Progs"].body) == 1 + 2 * len(spec.program_names) + 1
    assert max(map(len, text.splitlines())) <= 100


def test_skeletons_are_typed_and_formatted(tmp_path: Path, clang_object: Callable[..., bytes]):
    (tmp_path / "odd.py").write_text(write_skeleton(read_assembly(ODD), "1 odd-name"))
    (tmp_path / "variables.py").write_text(
        write_skeleton(read(clang_object("variables")), "variables")
    )
    (tmp_path / "use.py").write_text(USE)
    ruff = [sys.executable, "-m", "ruff", "format", "--isolated", "--check", str(tmp_path)]
    formatted = subprocess.run(ruff, capture_output=True, text=True, check=False)
    assert formatted.returncode == 0, formatted.stdout
    mypy = [sys.executable, "-m", "mypy", "--strict", "use.py", "odd.py"]
    typed = subprocess.run(mypy, capture_output=True, text=True, check=False, cwd=tmp_path)
    errors = re.findall(r"(\w+)\.py:(\d+): error: .*\[(.*)\]", typed.stdout)
    assert errors == [("use", "7", "assignment"), ("use", "13", "attr-defined")], typed.stdout


USE = """\
from variables import Variables

with Variables.open() as skel:
    skel.data.class_ = 7
    skel.bss.mode = "ON"
    skel.rodata.limit = 5
    skel.data.class_ = "seven"
    skel.load("linux", programs=["count"])
    packets: int = skel.maps.counters[7]["packets"]
    each: list[int] = skel.maps.spread[7]
    skel.maps.counters[1] = {"packets": 1, "bytes": 2}
    verdict: int = skel.progs.count.test_run(bytes(64)).retval
    skel.maps.countless
"""


@pytest.mark.parametrize("kernel", KERNELS)
def test_an_object_used_through_its_skeleton(
    kernel: str, tmp_path: Path, clang_object: Callable[..., bytes]
):
    made = module(write_skeleton(read(clang_object("variables")), "variables"), tmp_path)
    with made.Variables.open() as skel:
        assert (skel.data.class_, skel.rodata.limit, skel.rodata.name) == (5, 7, "abc")
        assert (skel.bss.mode, skel.bss.total) == ("OFF", {"packets": 0, "bytes": 0, "half": 0})
        skel.data.class_ = 9
        skel.rodata.limit = 11
        skel.bss.total = {"packets": 4}
        with pytest.raises(BtfError):
            skel.data.class_ = 1 << 40
        with pytest.raises(InputError):
            _ = skel.progs.count
        assert skel.load(kernel) is skel
        assert skel.progs.count.test_run(FRAME).retval == 1
        skel.bss.mode = "ON"
        assert skel.progs.count.test_run(FRAME).retval == 2
        assert (skel.bss.mode, skel.bss.seen, skel.bss.list_) == ("ON", 2, ord("a"))
        assert skel.bss.total["packets"] == 10
        counters = skel.maps.counters
        assert counters[9] == {"packets": 11, "bytes": 2, "half": 2}
        counters[1] = {"packets": 5, "half": 6}
        assert dict(counters.items())[1] == {"packets": 5, "bytes": 6, "half": 6}
        assert sorted(counters) == [1, 9]
        del counters[1]
        assert 1 not in counters
        assert counters.get(1) is None
        with pytest.raises(KeyNotFound):
            _ = counters[1]
        assert sum(skel.maps.spread[9]) == 1
        skel.maps.spread[9] = [3 for _ in skel.maps.spread[9]]
        assert set(skel.maps.spread[9]) == {3}
        with pytest.raises(InputError):
            skel.rodata.limit = 12
        with pytest.raises(InputError):
            skel.load(kernel)
    skel.close()
    with pytest.raises(InputError):
        _ = skel.maps.counters


def test_odd_names(tmp_path: Path):
    made = module(write_skeleton(read_assembly(ODD), "1 odd-name"), tmp_path)
    with made.Type1OddName() as skel:
        assert skel.data_hot.hidden == skel.data_hot.hidden_2 == 0
        assert skel.data_hot.ratio == 1.0
        assert skel.data_hot.opened_2 == {"value": 0, "known": [False] * 3}
        assert skel.rodata.Any == {"inner": {"deep": 3}}
        assert not hasattr(skel.data_hot, "with_dot")
        skel.load()
        key = {"bytes": 1, "from": 2, "text": "abc"}
        skel.maps.class_[key] = {"state": "BUSY"}
        assert skel.maps.class_[key] == {"number": 1, "state": "BUSY"}
        assert skel.maps.a_b[0] == [{"value": 0, "known": [False] * 3}]
        skel.maps.jobs.push("BUSY")
        assert (skel.maps.jobs.peek(), skel.maps.jobs.pop()) == ("BUSY", "BUSY")
        skel.maps.blank[b"123456"] = b"abc"
        assert skel.maps.blank[b"123456"] == b"abc"
        assert skel.progs.x_y.test_run(FRAME).retval == 1
        with pytest.raises(InputError):  # behind a `?`: loaded only when named
            _ = skel.progs.def_
    with made.Type1OddName() as skel:
        skel.load(programs=["def"])
        assert skel.progs.def_.test_run(FRAME).retval == 2


def test_packed_objects():
    data = bytes(range(256)) * 99
    text = pack(data)
    assert unpack(text) == data
    assert text.isascii()
    for damaged in (text[:-5], text[5:], "", "é", text + "\n"):
        with pytest.raises(InputError):
            unpack(damaged)


def test_an_object_without_programs_has_none():
    with pytest.raises(InputError):
        write_skeleton(read_assembly(".map m hash key=4 value=4 max_entries=1"), "m")


HOSTILE = ('"""\nexec(1)\n"""', 'a"] | exec(1) | Literal["', 'a": exec(1), "b', "a\\")
"""Names that would end the literal or docstring that they stand in."""


def named(name: str) -> ObjectSpec:
    """An object in which everything that can have a name has this one."""
    number = Int("int", 4, 32, signed=True)
    types = (
        number,
        Struct(name, 4, (Member(name, 1, 0),)),
        Enum(name, 4, ((name, 0),)),
        Var("one", 2, Linkage.GLOBAL),
        Var("two", 3, Linkage.GLOBAL),
        Datasec(".data", 8, (SectionVar(4, 0, 4), SectionVar(5, 4, 4))),
    )
    spec = read_assembly('.section "xdp"\nf:\n r0 = 2\n exit\n', file="f.s")
    data = MapSpec(".data", MapType.ARRAY, 4, 8, 1, value_type_id=6, contents=bytes(8))
    return replace(
        spec,
        functions={name: replace(spec.functions["f"], name=name, section=f"xdp/{name}")},
        maps={".data": data, name: MapSpec(name, MapType.ARRAY, 4, 4, 1)},
        btf=Btf(types),
    )


@pytest.mark.parametrize("name", HOSTILE)
def test_a_name_is_never_code(name: str):
    tree = ast.parse(write_skeleton(named(name), name))
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    assert "exec" not in used
    assert any(isinstance(node, ast.Constant) and node.value == name for node in ast.walk(tree))


def test_names_of_the_object_hide_no_descriptor(tmp_path: Path):
    source = """
.map MapOf hash key=4 value=4 max_entries=1
.map second hash key=4 value=4 max_entries=1
.map RawMap prog_array max_entries=1
.map third prog_array max_entries=1
.data .data
.var int Variable
.var int other
.section "xdp"
ProgramOf:
    r0 = 2
    exit
.section "tc"
last:
    r0 = 1
    exit
"""
    made = module(write_skeleton(read_assembly(source), "hiding"), tmp_path)
    with made.Hiding() as opened:
        opened.load()
        assert opened.progs.last.test_run(FRAME).retval == 1
        assert list(opened.maps.second) == []


def test_a_map_that_the_kernel_lacks_is_told(tmp_path: Path):
    source = """
.map rings ringbuf max_entries=4096
.section "xdp"
main:
    r0 = 2
    exit
"""
    made = module(write_skeleton(read_assembly(source), "ringed"), tmp_path)
    with made.Ringed() as opened:
        opened.load()
        with pytest.raises(InputError, match="rings"):
            _ = opened.maps.rings


def test_names_that_meet_and_large_types_are_bounded():
    spec = read_assembly('.section "xdp"\nf:\n r0 = 2\n exit\n')
    maps = {
        name: MapSpec(name, MapType.ARRAY, 4, 4, 1)
        for name in map("m{:c}".format, range(0x100, 0x2800))
    }
    large = (Int("char", 1, 8), Array(1, 1, 1 << 20), Int("int", 4, 32), Array(3, 3, 1 << 18))
    aliases = tuple(Typedef(f"t{number}", 4) for number in range(100))
    variables = tuple(Var(f"v{number}", 5 + number, Linkage.GLOBAL) for number in range(100))
    places = tuple(SectionVar(105 + number, 0, 4) for number in range(100))
    section = Datasec(".data", 4, places)
    data = MapSpec(".data", MapType.ARRAY, 4, 4, 1, value_type_id=205, contents=bytes(4))
    spec = replace(
        spec, btf=Btf((*large, *aliases, *variables, section)), maps={".data": data, **maps}
    )
    start = time.perf_counter()
    text = write_skeleton(spec, "many")
    assert time.perf_counter() - start < 10
    assert "m__9984" in text
