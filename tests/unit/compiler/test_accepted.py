"""Sources that are right compile; where bpf(2) can be used, Linux accepts what they compile to."""

from __future__ import annotations

from pathlib import Path

import pytest

from beebox.compiler.frontend import analyze, analyze_native
from beebox.compiler.source import compile_source
from beebox.errors import CompileError
from beebox.obj.linker import link

DATA = Path(__file__).parents[2] / "data"
PRELUDE = (DATA / "refusals" / "prelude.py").read_text()


def cases():
    for part in (DATA / "accepted.case").read_text().split("\n== "):
        name, _, source = part.removeprefix("== ").partition("\n")
        yield pytest.param(PRELUDE + source, id=name)


@pytest.mark.parametrize("text", list(cases()))
def test_compiles(text):
    module = analyze(text, file="case.py")
    assert [function.section_name for function in module.functions if function.section] == ["xdp"]


@pytest.mark.linux
@pytest.mark.parametrize("text", list(cases()))
def test_linux_accepts(text, kernel_verdict):
    verdict = kernel_verdict(link(compile_source(text, file="case.py"), "p"))
    assert verdict.accepted, verdict.log


def test_native_branches_not_taken_are_not_typed(tmp_path):
    source = tmp_path / "native.py"
    source.write_text(
        "from beebox.compiler.dialect import constant, export, load_u32, ptr, u32\n"
        'SIZE = constant("SIZE")\n'
        "@export\n"
        "def get(p: ptr) -> u32:\n"
        "    if SIZE == 4:\n"
        "        return load_u32(p + 4)\n"
        "    return nothing(p)\n"
    )
    (function,) = analyze_native(source, constants={"SIZE": 4}).functions
    assert function.exported
    assert len(function.body) == 1
    with pytest.raises(CompileError, match="'nothing' is not defined"):
        analyze_native(source, constants={"SIZE": 8})
