"""``vmlinux.h`` on demand: of which types, from where, kept, and gone afterwards."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from beebox.btf import codec
from beebox.btf.c import names, output
from beebox.btf.strings import StringTable
from beebox.btf.types import Btf, Int, Member, Struct, Typedef
from beebox.clang import vmlinux
from beebox.clang.run import compile_c
from beebox.errors import BtfError, CompileError, InputError, NotSupportedError
from beebox.obj import reader

SOURCE = """\
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

int answer;

SEC("raw_tp/x") int ask(struct thing *thing)
{
	answer = BPF_CORE_READ(thing, size);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
"""


@pytest.fixture(autouse=True)
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cache and a place for temporary files of the test's own."""
    (tmp_path / "temporary").mkdir()
    monkeypatch.setenv("BEEBOX_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))


@pytest.fixture
def types(tmp_path: Path) -> Path:
    """A kernel's BTF: the integers that helpers need, and ``struct thing``."""
    rows = [
        Int("unsigned int", 4, 32),
        Int("long long unsigned int", 8, 64),
        Int("unsigned short", 2, 16),
    ]
    typedefs = [("__u32", 1), ("__u64", 2), ("__u16", 3)]
    return written(
        tmp_path / "kernel.btf",
        rows,
        typedefs,
        Struct("thing", 8, (Member("id", 1, 0), Member("size", 1, 32))),
    )


def written(path: Path, rows: list, typedefs: list[tuple[str, int]], last: Struct) -> Path:
    table = Btf((*rows, *(Typedef(name, at) for name, at in typedefs), last))
    path.write_bytes(codec.encode(table, StringTable()))
    return path


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "ask.c"
    path.write_text(SOURCE)
    return path


def test_made_of_a_file(source: Path, types: Path, tmp_path: Path):
    spec = reader.read(compile_c(source, btf=types).data)
    (relocation,) = spec.functions["ask"].core
    assert relocation.access == "0:1"
    assert list((tmp_path / "temporary").iterdir()) == []


def test_made_of_an_object(source: Path, types: Path, tmp_path: Path):
    other = tmp_path / "other.o"
    other.write_bytes(compile_c(source, btf=types).data)
    with vmlinux.folder(other) as folder:
        assert "struct thing {" in (folder / vmlinux.NAME).read_text()


def test_kept_by_content(types: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    first = vmlinux.text(types)
    monkeypatch.setattr("beebox.btf.c.output.header", lambda _: "/* written again */")
    assert vmlinux.text(types) == first
    assert vmlinux.text(types.rename(tmp_path / "renamed.btf")) == first
    other = Btf((Int("int", 4, 32, signed=True),))
    types.write_bytes(codec.encode(other, StringTable()))
    assert vmlinux.text(types) == b"/* written again */"


def test_wanted_by_a_header_alone(source: Path, types: Path):
    source.with_name("own.h").write_text('#include "vmlinux.h"\n')
    source.write_text(SOURCE.replace("vmlinux.h", "own.h"))
    assert compile_c(source, btf=types).data


def test_the_sources_own_comes_first(source: Path, types: Path):
    source.with_name("vmlinux.h").write_text(
        vmlinux.text(types).decode().replace("unsigned int size;", "unsigned int other, size;")
    )
    spec = reader.read(compile_c(source, btf=types).data)
    assert spec.functions["ask"].core[0].access == "0:2"


def test_a_mistake_beside_it_leaves_nothing_behind(source: Path, types: Path, tmp_path: Path):
    source.write_text(SOURCE.replace("thing, size", "thing, sise"))
    with pytest.raises(CompileError, match="sise"):
        compile_c(source, btf=types)
    assert list((tmp_path / "temporary").iterdir()) == []


def test_no_types_to_make_it_of(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(vmlinux, "_RUNNING", tmp_path / "none")
    with pytest.raises(NotSupportedError, match="--btf"):
        compile_c(source)


def test_types_that_are_none(source: Path, tmp_path: Path):
    with pytest.raises(InputError, match="missing"):
        compile_c(source, btf=tmp_path / "missing")
    (tmp_path / "bad.btf").write_bytes(b"no BTF at all")
    with pytest.raises(BtfError):
        compile_c(source, btf=tmp_path / "bad.btf")


@pytest.mark.skipif(not vmlinux._RUNNING.exists(), reason="the running kernel shows no BTF")
def test_the_running_kernels(source: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("BEEBOX_CACHE_DIR")
    source.write_text(SOURCE.replace("struct thing", "struct task_struct").replace("size", "pid"))
    spec = reader.read(compile_c(source).data)
    assert spec.functions["ask"].core


def test_what_is_kept_is_of_these_writers() -> None:
    """Else a newer beebox would read the headers that an older one wrote."""
    assert {Path(output.__file__), Path(names.__file__)} <= set(vmlinux._writers())
