"""Objects against the kernel: what we write, libbpf loads as it loads what clang wrote."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from bpftool_dumps import without_map_bytes, xlated

from beebox.btf import codec, wire
from beebox.btf.strings import StringTable
from beebox.btf.types import Datasec, Enum, Int, Struct
from beebox.isa.instruction import Alu, Exit, LoadImm64, MapRef, Reg
from beebox.linux.load import Verdict
from beebox.obj import reader, writer
from beebox.obj.elf import read as read_elf
from beebox.obj.globals import set_global
from beebox.obj.linker import link
from beebox.obj.model import FunctionSpec, MapSpec, ObjectSpec, ProgramSpec
from beebox.tables.map_types import MapType
from beebox.tables.opcodes import AluOp

pytestmark = pytest.mark.linux
NAMES = ("count", "globals", "kinds")
Compile = Callable[..., bytes]


@pytest.fixture(scope="session")
def bpftool() -> str:
    found = shutil.which("bpftool")
    if found is None:
        pytest.skip("bpftool not found")
    return found


@pytest.mark.parametrize("name", NAMES)
def test_libbpf_sees_the_same_program(
    bpftool: str, clang_object: Compile, tmp_path: Path, name: str
) -> None:
    data = clang_object(name)
    spec = reader.read(data)
    theirs = xlated(bpftool, tmp_path, data, spec.program_names)
    ours = xlated(bpftool, tmp_path, writer.write(spec), spec.program_names)
    assert all("exit" in text for text in theirs.values())
    assert without_map_bytes(ours) == without_map_bytes(theirs)


@pytest.mark.parametrize("name", NAMES)
def test_the_kernel_accepts_what_is_linked(
    clang_object: Compile, kernel_verdict: Callable[[ProgramSpec], Verdict], name: str
) -> None:
    """With BTF, line and function info, which the kernel checks row by row."""
    for spec in (
        reader.read(clang_object(name)),
        reader.read(writer.write(reader.read(clang_object(name)))),
    ):
        for program in spec.program_names:
            verdict = kernel_verdict(link(spec, program))
            assert verdict.accepted, verdict.log


def test_the_kernel_reads_a_constant_that_was_set(
    clang_object: Compile, kernel_verdict: Callable[[ProgramSpec], Verdict]
) -> None:
    """A known constant prunes a branch: the kernel must have processed fewer instructions."""
    spec = reader.read(clang_object("globals"))
    plain = link(set_global(spec, "label", "lo"), "third")
    known = kernel_verdict(plain)
    data = replace(plain.maps[".rodata"], frozen=False)
    unknown = kernel_verdict(replace(plain, maps={**plain.maps, ".rodata": data}))
    assert 0 < known.insns_processed < unknown.insns_processed


def test_libbpf_loads_what_no_compiler_wrote(bpftool: str, tmp_path: Path) -> None:
    """An object from assembly: map types made by us, no line info."""
    body = (LoadImm64(Reg.R1, MapRef("stats")), Alu(AluOp.MOV, Reg.R0, 2), Exit())
    row = MapSpec("stats", MapType.PERCPU_HASH, 6, 20, 8)
    spec = ObjectSpec({"p": FunctionSpec("p", "xdp", body)}, {"stats": row}, license="GPL")
    assert "exit" in xlated(bpftool, tmp_path, writer.write(spec), ("p",))["p"]


def test_types_as_bpftool_reads_them(bpftool: str, clang_object: Compile, tmp_path: Path) -> None:
    data = clang_object("kinds")
    (tmp_path / "o.o").write_bytes(data)
    dumped = json.loads(
        subprocess.run(
            [bpftool, "-j", "btf", "dump", "file", str(tmp_path / "o.o")],
            check=True,
            capture_output=True,
        ).stdout
    )["types"]
    elf = read_elf(data)
    btf = codec.parse(elf.sections[elf.find(".BTF") or 0].contents)
    assert len(dumped) == len(btf)
    for theirs, (type_id, ours) in zip(dumped, btf.items(), strict=True):
        assert theirs["id"] == type_id
        assert theirs["name"] in {getattr(ours, "name", ""), "(anon)"}
        match ours:
            case Int():
                assert (theirs["size"], theirs["nr_bits"]) == (ours.size, ours.bits)
                assert ("SIGNED" in theirs["encoding"]) == ours.signed
                assert ("BOOL" in theirs["encoding"]) == ours.boolean
            case Struct():
                assert [
                    (row["name"], row["type_id"], row["bits_offset"], row.get("bitfield_size", 0))
                    for row in theirs["members"]
                ] == [
                    (row.name or "(anon)", row.type, row.bit_offset, row.bitfield_size)
                    for row in ours.members
                ]
            case Enum():
                values = [(row["name"], row["val"] % (1 << 32)) for row in theirs["values"]]
                assert values == [(name, value % (1 << 32)) for name, value in ours.values]
            case Datasec():
                assert [row["type_id"] for row in theirs["vars"]] == [row.type for row in ours.vars]
            case _:
                pass


def test_the_running_kernels_own_types() -> None:
    """Hundreds of thousands of types, back to the byte."""
    path = Path("/sys/kernel/btf/vmlinux")
    if not path.exists():
        pytest.skip("this kernel has no BTF of its own")
    data = path.read_bytes()
    btf = codec.parse(data)
    _, strings = wire.sections(data)
    assert len(btf) > 10_000
    assert codec.encode(btf, StringTable(strings.data)) == data
    (xdp_md,) = (found for found in btf.named("xdp_md") if isinstance(btf.type(found), Struct))
    assert btf.size_of(xdp_md) == 24
