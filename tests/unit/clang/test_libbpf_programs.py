"""Programs as the ecosystem writes them compile unchanged, to the code that libbpf's headers give.

The programs use the includes, macros and idioms of libbpf-bootstrap, xdp-tutorial and libbpf-tools.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from beebox.btf import kernel
from beebox.clang.run import compile_c
from beebox.isa.codec import decode
from beebox.isa.disassembler import listing
from beebox.obj import elf, reader
from beebox.obj.elf import SectionFlag

PROGRAMS = sorted((Path(__file__).parents[2] / "data/libbpf").glob("*.c"))
DEBIAN = Path("/usr/include/bpf/bpf_helpers.h")
MACHINE = ["-I/usr/include", "-I/usr/include/x86_64-linux-gnu", "-D__x86_64__"]
SAME = [
    "-DLIBBPF_1_1",
    "-D__bpf_fastcall=",
    "-Wno-everything",
]  # newer headers than Debian's mark some helpers
NEWER = {"iterators"}
"""Programs of which libbpf 1.1 knows too little."""
OWN_CODE = {"usdt": {".text"}}
"""Sections whose code is a library's, not the program's: ours is not libbpf's."""

pytestmark = pytest.mark.skipif(
    not (kernel.FOLDER / "vmlinux").exists(), reason="the running kernel shows no BTF"
)


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: path.stem)
def test_compiles_without_a_warning(path: Path):
    made = compile_c(path)
    assert made.warnings == ""
    spec = reader.read(made.data, file=str(path))
    assert spec.program_names
    assert spec.license in {"GPL", "Dual BSD/GPL"}


@pytest.mark.parametrize(
    "path", [path for path in PROGRAMS if path.stem not in NEWER], ids=lambda path: path.stem
)
def test_the_same_code_as_with_libbpfs_headers(path: Path):
    if not DEBIAN.exists():
        pytest.skip(f"no {DEBIAN}")
    ours = code(compile_c(path, SAME).data)
    theirs = code(compile_c(path, [*SAME, *MACHINE]).data)
    own = OWN_CODE.get(path.stem, set())
    assert ours.keys() == theirs.keys()
    for section in ours.keys() - own:
        assert ours[section] == theirs[section], section


def code(data: bytes) -> dict[str, list[str]]:
    """By section of instructions: their text, with the names that relocations put in."""
    parsed = elf.read(data)
    found = {}
    for index, section in enumerate(parsed.sections):
        if not section.flags & SectionFlag.EXECINSTR or not section.size:
            continue
        names = {
            entry.offset // 8: parsed.symbols[entry.symbol].name or "section"
            for entry in parsed.relocations.get(index, ())
        }
        found[section.name] = [
            f"{pc}: {text} {names.get(pc, '')}" for pc, text in listing(decode(section.contents))
        ]
    return found
