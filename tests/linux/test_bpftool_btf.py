"""The types of C programs of every sort, as bpftool shows them and makes them small."""

from __future__ import annotations

import shutil
import subprocess
from functools import cache
from pathlib import Path

import pytest
from c_headers import object_btf

from beebox import api
from beebox.btf import codec, kernel, raw_output
from beebox.btf.c import output as c_output
from beebox.btf.types import Btf
from beebox.obj.minimal_types import minimal_types

pytestmark = pytest.mark.linux

VMLINUX = Path("/sys/kernel/btf/vmlinux")
DATA = Path(__file__).parents[1] / "data"
PROGRAMS = (
    *sorted((DATA / "c/corpus").glob("core_*.c")),
    *(DATA / f"c/corpus/{name}.c" for name in ("arena", "graphs", "iterators", "kptrs", "tags")),
    *(DATA / f"c/corpus/{name}.c" for name in ("struct_ops_tcp", "struct_ops_local", "tp_btf")),
    *(DATA / f"libbpf/{name}.c" for name in ("core_kinds", "kprobe", "bootstrap", "tc")),
)

NEWER = " __attribute__((mode(byte)))"
"""What bpftool 7.1 does not say yet of an enum of one byte."""


@cache
def compiled(source: Path) -> bytes:
    return api.compile_c(source)


@pytest.fixture(scope="module")
def whole() -> Btf:
    return kernel.open_running()


@pytest.fixture
def bpftool() -> str:
    path = shutil.which("bpftool")
    if path is None:
        pytest.skip("bpftool is not installed")
    return path


@pytest.mark.parametrize("source", PROGRAMS, ids=lambda path: path.stem)
def test_types_look_as_in_bpftool(bpftool: str, source: Path, tmp_path: Path) -> None:
    file = tmp_path / "o.o"
    file.write_bytes(compiled(source))
    rows, header = (
        subprocess.run(
            [bpftool, "btf", "dump", "file", file, "format", form],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for form in ("raw", "c")
    )
    btf = object_btf(compiled(source))  # an ObjectSpec's has the sizes of sections filled in
    assert "".join(raw_output.text(btf)) == rows
    ours = c_output.header(btf, kfuncs=False)
    assert ours.replace(NEWER, "") == header.replace(NEWER, "")


@pytest.mark.parametrize("source", PROGRAMS, ids=lambda path: path.stem)
def test_the_same_types_are_needed(bpftool: str, whole: Btf, source: Path, tmp_path: Path) -> None:
    file, target = tmp_path / "o.o", tmp_path / "theirs.btf"
    file.write_bytes(compiled(source))
    subprocess.run([bpftool, "gen", "min_core_btf", VMLINUX, target, file], check=True)
    spec = api.read_object(file.read_bytes(), file)
    assert codec.encode(minimal_types([spec], whole)) == target.read_bytes()
