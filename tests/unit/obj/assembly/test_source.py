"""Assembly sources to objects, back to text, and the same again."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from same_specs import SameTypes, assert_same_object

from beebox.api import open_object
from beebox.errors import AssemblyError
from beebox.isa.instruction import Call, CallKind, GlobalRef, LoadImm64, MapRef, Reg, SubprogRef
from beebox.obj.assembly.functions import MARKS
from beebox.obj.assembly.source import read_assembly
from beebox.obj.assembly.text import write_assembly, write_program
from beebox.obj.linker import link
from beebox.obj.model import FunctionSpec, MapSpec, ObjectSpec
from beebox.obj.reader import read
from beebox.obj.writer import write
from beebox.tables.map_types import MapFlags, MapType
from beebox.verifier.verify import verify as verify_program

SOURCE = """
; counts by the first byte
.license "GPL"
.map counts percpu_array key=4 value=8 max_entries=256
.map seen hash key=4 value=16 max_entries=1024 flags=1
.data .rodata frozen flags=0x80 contents=2a00000000000000
.data .bss size=16

.section "xdp"
.globl first
first:
    *(u32 *)(r10 - 4) = 0
    r1 = map[counts] ll
    r2 = r10
    r2 += -4
    call bpf_map_lookup_elem
    if r0 == 0 goto out     # no such element
    r1 = global[.rodata + 0] ll
    r1 = *(u64 *)(r1 + 0)
    call add_one
out:
    r0 = 2
    exit

second: exit               // a label of first: nothing calls it

.section "xdp/other"
third:
    call add_one
    exit

.text
add_one:
    r0 = r1
    goto out
    r0 += 1
out:
    exit
"""


def essence(
    spec: ObjectSpec,
) -> tuple[dict[str, tuple[object, ...]], dict[str, MapSpec], str]:
    functions = {
        name: (row.section, row.insns, row.is_global) for name, row in spec.functions.items()
    }
    return functions, dict(spec.maps), spec.license


def test_what_a_source_declares():
    spec = read_assembly(SOURCE, file="count.s")
    assert list(spec.functions) == ["first", "third", "add_one"]
    assert spec.program_names == ("first", "third")
    assert spec.license == "GPL"
    assert spec.maps["seen"] == MapSpec("seen", MapType.HASH, 4, 16, 1024, MapFlags.NO_PREALLOC)
    assert spec.maps[".rodata"].contents == b"*" + bytes(7)
    assert spec.maps[".rodata"].frozen
    assert spec.maps[".bss"].contents == bytes(16)
    first = spec.functions["first"]
    assert first.insns[1] == LoadImm64(Reg.R1, MapRef("counts"))
    assert first.insns[6] == LoadImm64(Reg.R1, GlobalRef(".rodata", 0))
    assert first.insns[8] == Call(CallKind.SUBPROG, SubprogRef("add_one"))
    assert not spec.functions["add_one"].is_global


def test_every_instruction_knows_its_line():
    first = read_assembly(SOURCE, file="count.s").functions["first"]
    line = first.lines[2]
    assert (line.pc, line.file, line.text) == (3, "count.s", "r2 = r10")
    assert SOURCE.splitlines()[line.line - 1][line.column - 1 :] == "r2 = r10"


def test_written_text_reads_back():
    spec = read_assembly(SOURCE)
    written = write_assembly(spec)
    assert essence(read_assembly(written)) == essence(spec)
    assert "    if r0 == 0 goto .L11" in written.splitlines()


def test_a_linked_program_reads_back():
    program = link(read_assembly(SOURCE), "first")
    shown = write_program(program)
    again = link(read_assembly(shown), "first")
    assert (again.insns, again.maps, again.license) == (program.insns, program.maps, "GPL")
    assert "    5: call bpf_map_lookup_elem#1" in shown.splitlines()


def test_it_survives_elf():
    spec = read_assembly(SOURCE)
    through = read(write(spec))
    assert {name: row.insns for name, row in through.functions.items()} == {
        name: row.insns for name, row in spec.functions.items()
    }


C_FOLDER = Path(__file__).parents[3] / "data/c"
C_SOURCES = sorted(C_FOLDER.glob("*.c"))
EXAMPLES = (
    *("balancer", "cgroup_quota", "count", "dispatch", "firewall", "lpm_acl", "router"),
    *("socket_sample", "tc_nat", "unsafe"),
)


@pytest.mark.parametrize("path", C_SOURCES, ids=lambda path: path.stem)
def test_objects_from_clang_read_back(path: Path, clang_object: Callable[..., bytes]):
    check_round_trip(read(clang_object(path.stem)))


@pytest.mark.parametrize("name", EXAMPLES)
def test_objects_from_python_read_back(name: str, repository: Path):
    check_round_trip(open_object(repository / "examples" / f"{name}.py"))


def check_round_trip(spec: ObjectSpec) -> None:
    """The whole object and each of its programs as text give the object and the program again."""
    assert_same_object(spec, read_assembly(write_assembly(spec)))
    for program in spec.program_names:
        if any(row.core for row in spec.functions.values()):
            continue  # linked for a target only
        linked = link(spec, program)
        again = link(read_assembly(write_program(linked)), program)
        assert again.insns == linked.insns
        types = SameTypes(linked.btf, again.btf)
        for mine, other in zip(linked.functions, again.functions, strict=True):
            types.check(mine.type_id, other.type_id, mine.name)


def test_source_lines_become_comments(clang_object: Callable[..., bytes]):
    spec = read(clang_object("count"))
    shown = write_program(link(spec, spec.program_names[0]))
    assert any(line.lstrip().startswith("; ") and "count.c:" in line for line in shown.splitlines())


def test_strange_names_and_jumps_out_of_the_function():
    jumpy = read_assembly('.section "xdp"\nf: goto -5\n goto +1\n exit\n').functions["f"].insns
    spec = ObjectSpec(
        {
            "a b": FunctionSpec(
                "a b", "xdp", (*jumpy, Call(CallKind.SUBPROG, SubprogRef("bpf_x")))
            ),
            "bpf_x": FunctionSpec("bpf_x", ".text", jumpy),
        },
        license='quo"te',
    )
    assert essence(read_assembly(write_assembly(spec))) == essence(spec)


@pytest.mark.parametrize(
    ("source", "line", "column"),
    [
        ("r0 = 0", 1, 1),
        ("f:\n exit", 1, 1),
        ('.section ".maps"', 1, 10),
        (".word 5", 1, 1),
        (".map m hash key=4 value=4", 1, 6),
        (".map m hash value=4 max_entries=1", 1, 6),
        (".map m array key=8 value=4 max_entries=1", 1, 6),
        (".map m tree key=4 value=4 max_entries=1", 1, 8),
        (".map m hash key=4 key=4", 1, 19),
        (".map m hash key=4 value=4 max_entries=1\n.map m hash key=4", 2, 6),
        (".data d contents=abc", 1, 18),
        (".data d size=1 contents=abcd", 1, 7),
        (".data d size=0xffffffff", 1, 7),
        ('.license "GPL" 5', 1, 16),
        ('.section "xdp"\nf:\n.text', 2, 1),
        ('.section "xdp"\nf: exit\n.text\nf: exit', 4, 1),
        ('.section "xdp"\nf: r1 = map[m] ll\nexit', 2, 4),
        ('.section "xdp"\nf: r1 = map_fd(3) ll\nexit', 2, 4),
        ('.section "xdp"\nf: call g\nexit', 2, 4),
        ('.section "xdp"\nf: call pc+1\nexit\nexit', 2, 4),
        ('.section "xdp"\nf: goto g\nexit\n.text\ng: exit', 2, 9),
    ],
)
def test_refusals(source: str, line: int, column: int):
    with pytest.raises(AssemblyError) as caught:
        read_assembly(source, file="x.s")
    assert (caught.value.file, caught.value.line, caught.value.column) == ("x.s", line, column)


def test_the_guide_shows_what_works(repository: Path):
    guide = (repository / "docs/assembly.md").read_text()
    (example,) = re.findall(r"```asm\n(.*?)```", guide, re.DOTALL)
    spec = read_assembly(example)
    assert spec.program_names == ("main",)
    check_round_trip(spec)
    assert verify_program(link(spec, "main")).accepted
    for kind in MARKS:
        assert f"`{kind} " in guide
