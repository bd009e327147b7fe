"""The programs in the documents compile, and satisfy both verifiers."""

from __future__ import annotations

import re

import pytest

import beebox
from beebox.compiler.source import compile_source
from beebox.obj.linker import link

PAGES = ("language.md", "writing-packet-programs.md")


@pytest.fixture(params=PAGES)
def programs(request, repository):
    text = (repository / "docs" / request.param).read_text()
    sources = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert sources
    return [compile_source(source, file=request.param) for source in sources]


def test_programs_are_accepted(programs):
    for spec in programs:
        assert all(report.accepted for report in beebox.verify(spec))


@pytest.mark.linux
def test_linux_accepts_them(programs, kernel_verdict):
    for spec in programs:
        for name in spec.program_names:
            verdict = kernel_verdict(link(spec, name))
            assert verdict.accepted, verdict.log
