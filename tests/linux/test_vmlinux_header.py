"""The running kernel's types as C: the compiler lays every struct out as BTF says it is."""

from __future__ import annotations

import shutil
import subprocess
import time
from pathlib import Path

import pytest
from c_headers import check_c, compile_bpf, measuring_source, object_btf, same_places, shape

from beebox.btf import codec, raw_output
from beebox.btf.c import output as c_output
from beebox.btf.types import Btf, Struct

pytestmark = pytest.mark.linux

VMLINUX = Path("/sys/kernel/btf/vmlinux")
VA_LIST = frozenset({"struct warn_args"})
"""Holds a va_list by value: the header leaves that to the compiler, and BPF's is a pointer."""


@pytest.fixture(scope="module")
def kernel() -> Btf:
    return codec.parse(VMLINUX.read_bytes())


@pytest.fixture(scope="module")
def folder(kernel: Btf, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("vmlinux")
    (folder / "vmlinux.h").write_text(c_output.header(kernel))
    return folder


@pytest.mark.slow
def test_every_size_and_offset_is_that_of_btf(kernel: Btf, folder: Path) -> None:
    source = folder / "measure.c"
    source.write_text(measuring_source(kernel, "vmlinux.h", VA_LIST))
    found = object_btf(compile_bpf(source))
    assert same_places(kernel, found, VA_LIST) > 1000  # bitfields: offsets are asserted in C


@pytest.mark.slow
@pytest.mark.parametrize("compiler", ["clang-14", "clang-19"])
def test_older_compilers_agree(kernel: Btf, folder: Path, compiler: str) -> None:
    if shutil.which(compiler) is None:
        pytest.skip(f"{compiler} is not installed")
    source = folder / f"{compiler}.c"
    source.write_text(measuring_source(kernel, "vmlinux.h", VA_LIST))
    check_c(source, clang=[compiler])


@pytest.mark.slow
def test_the_text_is_bpftools(kernel: Btf) -> None:
    """Besides what bpftool 7.1 did not say: the width of narrow enums, and of unions cut short."""
    bpftool = shutil.which("bpftool")
    if bpftool is None:
        pytest.skip("bpftool is not installed")
    command = [bpftool, "btf", "dump", "file", str(VMLINUX), "format", "c"]
    theirs = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    ours = c_output.header(kernel, kfuncs=False)
    for later in (
        " __attribute__((mode(byte)))",
        "typedef union {\n\tlong: 64;\n} release_pages_arg",
    ):
        earlier = later.replace("\tlong: 64;\n", "") if "union" in later else ""
        ours, theirs = ours.replace(later, earlier), theirs.replace(later, earlier)
    assert ours.splitlines() == theirs.splitlines()


@pytest.mark.slow
def test_kfuncs_are_declared_as_the_kernel_has_them(kernel: Btf, folder: Path) -> None:
    names = {"bpf_task_release", "bpf_cpumask_create", "bpf_rcu_read_lock"}
    calls = "".join(f"\t(void *){name},\n" for name in sorted(names))
    source = folder / "kfuncs.c"
    source.write_text(f'#include "vmlinux.h"\nvoid *uses[] = {{\n{calls}}};\n')
    found = object_btf(compile_bpf(source))
    for name in names:
        ours, theirs = (
            shape(
                btf,
                next(btf.type(i).type for i in btf.named(name) if hasattr(btf.type(i), "linkage")),
            )
            for btf in (found, kernel)
        )
        assert ours == theirs


@pytest.mark.slow
def test_some_roots_bring_what_they_need_and_no_more(kernel: Btf, folder: Path) -> None:
    root = next(i for i in kernel.named("list_head") if isinstance(kernel.type(i), Struct))
    text = c_output.header(kernel, roots=[root])
    assert "struct list_head {" in text
    assert len(text) < 1000
    (folder / "some.c").write_text(text)
    check_c(folder / "some.c")


def test_the_whole_header_takes_under_five_seconds() -> None:
    begun = time.process_time()
    c_output.header(codec.parse(VMLINUX.read_bytes()))
    assert time.process_time() - begun < 5


@pytest.mark.slow
def test_rows_are_bpftools(kernel: Btf) -> None:
    bpftool = shutil.which("bpftool")
    if bpftool is None:
        pytest.skip("bpftool is not installed")
    command = [bpftool, "btf", "dump", "file", str(VMLINUX)]
    theirs = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "".join(raw_output.text(kernel)) == theirs
