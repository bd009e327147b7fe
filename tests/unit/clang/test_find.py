"""Which clang is taken: the user's, the newest of PATH, the package's."""

from __future__ import annotations

from pathlib import Path

import pytest

from beebox.clang import find
from beebox.errors import NotSupportedError


def executable(path: Path, text: str = "") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(find.VARIABLE, raising=False)
    find._asked_version.cache_clear()


def names() -> list[str]:
    return [compiler.name for compiler in find.compilers()]


def test_the_variable_alone_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    mine = executable(tmp_path / "my-cc")
    monkeypatch.setenv(find.VARIABLE, str(mine))
    assert names() == [str(mine)]
    monkeypatch.setenv(find.VARIABLE, "my-cc")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert names() == [str(mine)]


def test_a_variable_that_names_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(find.VARIABLE, str(tmp_path / "missing"))
    with pytest.raises(NotSupportedError, match="missing"):
        names()


def test_newest_first_and_the_package_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    old, new = (executable(tmp_path / "bin" / f"clang-{major}") for major in (find.OLDEST, 21))
    executable(tmp_path / "bin" / f"clang-{find.OLDEST - 1}")
    executable(tmp_path / "bin/clang", "echo 'clang version 17.0.6'")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    found = names()
    assert found[:3] == [str(new), str(tmp_path / "bin/clang"), str(old)]
    assert len(found) == 4
    assert "ziglang" in found[3]


def test_a_link_tells_its_version_without_being_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    real = executable(tmp_path / "lib/llvm-18/bin/clang", "touch started; exit 1")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/clang").symlink_to(real)
    (tmp_path / "bin/clang-18").symlink_to(real)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.chdir(tmp_path)
    assert names()[0] == str(tmp_path / "bin/clang")
    assert str(tmp_path / "bin/clang-18") not in names()
    assert not (tmp_path / "started").exists()


@pytest.mark.parametrize("text", ["exit 1", "echo 'clang version 9.0.1'", "echo nothing"])
def test_too_old_or_silent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str):
    executable(tmp_path / "clang", text)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert str(tmp_path / "clang") not in names()


def test_no_clang_at_all(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    assert names() == []
