"""The running kernel's own types, and a module's as pahole writes them."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from beebox.btf import codec, kernel
from beebox.btf.strings import StringTable
from beebox.btf.types import Btf, Datasec, Enum, Func, Ptr, Struct

pytestmark = pytest.mark.linux


@pytest.fixture(scope="module")
def running() -> Btf:
    return kernel.open_running()


def test_all_of_it_comes_back_to_the_byte(running: Btf) -> None:
    data = (kernel.FOLDER / "vmlinux").read_bytes()
    assert running.strings is not None
    assert codec.encode(running, StringTable(running.strings.data)) == data


def test_types_are_found_by_name(running: Btf) -> None:
    (task,) = running.kinded("task_struct", Struct)
    row = running.type(task)
    assert isinstance(row, Struct)
    assert {"pid", "tgid", "comm"} <= {member.name for member in row.members}
    (load,) = running.kinded("bpf_prog_load", Func)
    assert isinstance(running.type(load), Func)
    assert running.kinded(".data..percpu", Datasec)
    assert running.named("no_such_type_anywhere") == ()
    assert running.prefixed("task_struc") >= running.named("task_struct")


def test_a_second_opening_reads_the_kept_index(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BEEBOX_CACHE_DIR", str(tmp_path / "cache"))
    first = kernel.open_running().kinded("task_struct", Struct)
    monkeypatch.setattr(codec.lazy, "index", None)  # a walk would fail
    assert kernel.open_running().kinded("task_struct", Struct) == first


MODULE = """
struct task_struct;
struct beebox_probe { struct task_struct *task; int count; enum beebox_mode { OFF, ON = 5 } mode; };
struct beebox_probe state;
int probe_one(struct beebox_probe *probe) { return probe->count + state.count; }
"""


@pytest.mark.skipif(shutil.which("pahole") is None, reason="there is no pahole to make split BTF")
def test_split_btf_of_pahole(running: Btf, tmp_path: Path) -> None:
    compile_ = [sys.executable, "-m", "ziglang", "clang", "-target", "x86_64-linux-gnu", "-g"]
    made = tmp_path / "probe.o"
    subprocess.run(
        [*compile_, "-gdwarf-4", "-x", "c", "-c", "-o", made, "-"],
        input=MODULE.encode(),
        check=True,
    )
    file = tmp_path / "probe.btf"
    base = kernel.FOLDER / "vmlinux"
    subprocess.run(
        ["pahole", f"--btf_base={base}", f"--btf_encode_detached={file}", made], check=True
    )
    module = kernel.open_btf(file, running)
    assert module.first_id == len(running) + 1
    (probe,) = module.kinded("beebox_probe", Struct)
    row = module.type(probe)
    assert isinstance(row, Struct)
    assert [member.name for member in row.members] == ["task", "count", "mode"]
    task = module.type(row.members[0].type)
    assert task == Ptr(running.kinded("task_struct", Struct)[0])
    (mode,) = module.kinded("beebox_mode", Enum)
    assert module.type(mode) == Enum("beebox_mode", 4, (("OFF", 0), ("ON", 5)))
    assert running.strings is not None
    assert module.strings is not None
    table = StringTable(module.strings.data, running.strings)
    assert codec.encode(module, table) == file.read_bytes()
