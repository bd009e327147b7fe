"""The C examples of docs/rejections: Linux and we say of them what their pages say."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest

from beebox.api import resolved
from beebox.clang.run import compile_c
from beebox.diagnose.kernel_log import parse
from beebox.diagnose.reading import read
from beebox.linux.kernel import LinuxKernel
from beebox.obj import reader
from beebox.obj.linker import link
from beebox.tables.findings import FREQUENT
from beebox.verifier.verify import verify

pytestmark = pytest.mark.linux
EXAMPLES: Final = Path(__file__).parents[2] / "docs/rejections/examples"
PAGES: Final = EXAMPLES.parent


@pytest.mark.parametrize("code", FREQUENT)
def test_example(code: str) -> None:
    spec = resolved(reader.read(compile_c(EXAMPLES / f"{code}.c", ()).data, file=f"{code}.o"))
    bad, good = link(spec, "bad"), link(spec, "good")
    kernel = LinuxKernel()
    refused = kernel.verdict(bad, log_level=2)
    assert not refused.accepted
    assert kernel.verdict(good).accepted, kernel.verdict(good).log
    reading = read(parse(refused.log))
    assert reading.code == code
    assert f"- `{reading.log.message}`" in (PAGES / f"{code}.md").read_text()
    report = verify(bad)
    assert [finding.code for finding in report.findings] == [code]
    assert report.findings[0].pc == reading.pc
    assert verify(good).accepted
