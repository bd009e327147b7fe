"""docs/rejections: one page for each frequent reason, current, with an example that is verified."""

from __future__ import annotations

from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest

from beebox import api
from beebox.tables.findings import FINDINGS, FREQUENT


@pytest.fixture(scope="module")
def generator(repository: Path) -> ModuleType:
    spec = spec_from_file_location("generate_rejections", repository / "docs" / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_pages_are_current(repository: Path, generator: ModuleType) -> None:
    folder = repository / "docs" / "rejections"
    pages = generator.REJECTION_PAGES
    assert sorted(path.name for path in folder.glob("*.md")) == sorted(pages)
    stale = [
        name
        for name, write in pages.items()
        if (folder / name).read_text(encoding="utf-8") != write()
    ]
    assert stale == [], "run make docs"


def test_each_frequent_finding_has_its_reason_and_example(repository: Path) -> None:
    examples = repository / "docs" / "rejections" / "examples"
    assert len(set(FREQUENT)) == 10
    assert {code for code, row in FINDINGS.items() if row.why} == set(FREQUENT)
    assert {path.stem for path in examples.iterdir()} == set(FREQUENT)
    assert {path.suffix for path in examples.iterdir()} == {".c", ".s"}


def test_a_page_is_not_written_for_an_example_that_does_not_fit(
    generator: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = api.verify

    def other(path: Path, **options: object) -> object:
        return real(path.with_name("null-pointer.s"), **options)  # type: ignore[arg-type]  # as it came

    monkeypatch.setattr(generator.api, "verify", other)
    with pytest.raises(SystemExit):
        generator.rejection("packet-bounds")
