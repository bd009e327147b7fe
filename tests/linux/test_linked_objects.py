"""Linked objects in Linux: what libbpf loads of ours and of bpftool's is the same, to the insn."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from bpftool_dumps import without_map_bytes, xlated

from beebox import api
from beebox.clang.run import compile_c
from beebox.obj import reader, writer

pytestmark = pytest.mark.linux
DATA = Path(__file__).parents[1] / "data/linking"
NAMES = ("policy", "app", "tables")


def test_three_objects_as_bpftool_links_them(tmp_path: Path) -> None:
    tool = shutil.which("bpftool")
    if tool is None:
        pytest.skip("bpftool not found")
    files = []
    for name in NAMES:
        files.append(tmp_path / f"{name}.o")
        files[-1].write_bytes(compile_c(DATA / f"{name}.c").data)
    theirs = tmp_path / "theirs.o"
    subprocess.run([tool, "gen", "object", theirs, *files], check=True)
    ours = api.link(files).data
    spec = reader.read(ours)
    assert sorted(spec.program_names) == ["dropped", "ingress", "state"]
    expected = without_map_bytes(xlated(tool, tmp_path, theirs.read_bytes(), spec.program_names))
    assert all(any("exit" in line for line in lines) for lines in expected.values())
    again = api.link([theirs]).data
    for data in (ours, again, writer.write(spec)):
        assert without_map_bytes(xlated(tool, tmp_path, data, spec.program_names)) == expected
