"""The C in the docs compiles as it stands, fragments between the headers that their page uses."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from beebox.btf import kernel
from beebox.clang.run import compile_c

DOCS = Path(__file__).parents[3] / "docs"
PAGES = ("writing-c.md", "co-re.md")
BLOCK = re.compile(r"^```c\n(.*?)^```$", re.MULTILINE | re.DOTALL)
KERNEL = "#include <vmlinux.h>\n#include <bpf/bpf_helpers.h>\n#include <bpf/bpf_core_read.h>\n"


def blocks() -> list[tuple[str, str]]:
    """By page, each block of C; a fragment comes after all fragments before it."""
    found = []
    for page in PAGES:
        before = KERNEL
        for text in BLOCK.findall((DOCS / page).read_text()):
            if not text.startswith("#include"):
                before += text
            found.append((page, text if text.startswith("#include") else before))
    return found


@pytest.mark.parametrize(("page", "text"), blocks(), ids=lambda value: value[:12])
def test_compiles(page: str, text: str, tmp_path: Path):
    if "vmlinux.h" in text and not (kernel.FOLDER / "vmlinux").exists():
        pytest.skip("the running kernel shows no BTF")
    source = tmp_path / "block.c"
    source.write_text(text)
    assert compile_c(source).warnings == "", page


def test_every_page_has_some():
    assert {page for page, _ in blocks()} == set(PAGES)


def test_every_header_that_the_page_names_is_there():
    text = (DOCS / "writing-c.md").read_text()
    rows = re.findall(r"^\| (`.*?) \|", text, re.MULTILINE)
    include = Path(__file__).parents[3] / "src/beebox/clang/include"
    of_clang = {"stddef.h", "stdint.h", "stdbool.h", "stdarg.h", "limits.h", "vmlinux.h"}
    named = [name for row in rows for name in re.findall(r"`([\w./]+\.h)`", row)]
    assert len(named) > 20
    missing = [
        name
        for name in named
        if not (include / name).exists() and not (include / "linux" / name).exists()
    ]
    assert set(missing) <= of_clang
