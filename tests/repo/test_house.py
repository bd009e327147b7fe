"""The house watches itself: contracts, sizes, words, paths, what an import loads."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from zipfile import ZipFile

import pytest

LINES_MAX = 800
TABLES = "src/beebox/tables/"
TEXT_SUFFIXES = {".py", ".md", ".toml", ".txt", ".in", ".lock", ".case", ".s", ".c", ""}
HEAVY = {"llvmlite", "numpy", "rich", "click", "beebox.verifier.verify", "beebox.compiler.source"}


@pytest.fixture(scope="module")
def files(repository: Path) -> list[Path]:
    """Every file that a clone would hold; from the folder itself where it is no clone."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached"],
        cwd=repository,
        capture_output=True,
        check=False,
    )
    if listed.returncode == 0:
        names = [Path(repository, os.fsdecode(name)) for name in listed.stdout.split(b"\0") if name]
        return [path for path in names if path.is_file()]
    folders = ("src", "tests", "docs", "examples", "benchmarks", "fuzz", "proofs")
    found = [path for folder in folders for path in (repository / folder).rglob("*")]
    found += list(repository.iterdir())
    return [path for path in found if path.is_file() and "__pycache__" not in path.parts]


def texts(files: list[Path]) -> list[tuple[Path, str]]:
    return [
        (path, path.read_text(encoding="utf-8")) for path in files if path.suffix in TEXT_SUFFIXES
    ]


def test_import_contracts_hold(repository: Path) -> None:
    tool = Path(sys.executable).parent / "lint-imports"
    done = subprocess.run(
        [tool, "--no-cache"], cwd=repository, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout


def test_no_module_is_long(repository: Path, files: list[Path]) -> None:
    long = {
        str(path.relative_to(repository)): count
        for path, text in texts(files)
        if path.suffix == ".py" and (count := text.count("\n")) > LINES_MAX
    }
    assert [name for name in long if not name.startswith(TABLES)] == []


def test_no_module_is_a_drawer(files: list[Path]) -> None:
    drawers = {"utils.py", "common.py", "misc.py", "core.py"}
    assert [path for path in files if path.name in drawers] == []


def test_nothing_names_the_machine_it_was_made_on(repository: Path, files: list[Path]) -> None:
    # Written in pieces, so that this file does not find itself.
    places = ["/wo" + "rk/", "/ro" + "ot/", "/tmp/br" + "ief", "/home/[a-z]"]
    hosts = ["extra-index" + "-url", "find" + "-links", r"https?://[\w.-]*pypi[\w.-]*/simple"]
    forbidden = re.compile("|".join(places + hosts))
    found = [
        f"{path.relative_to(repository)}: {match.group()}"
        for path, text in texts(files)
        if (match := forbidden.search(text))
    ]
    assert found == []


def test_every_path_that_the_docs_name_exists(repository: Path, files: list[Path]) -> None:
    folders = "src|tests|docs|examples|benchmarks|fuzz|proofs"
    named = re.compile(rf"(?<![\w/.])(?:{folders})/[\w./-]*\w")
    made_later = {"docs/decisions/NNNN"}
    missing = {
        f"{path.relative_to(repository)}: {name}"
        for path, text in texts(files)
        if path.suffix == ".md"
        for name in named.findall(text)
        if not (repository / name).exists() and name not in made_later
    }
    assert missing == set()


def test_todo_comments_name_an_issue(repository: Path, files: list[Path]) -> None:
    open_ended = re.compile(r"#.*\b(?:TO[D]O|FIX[M]E)\b(?!.*#\d)")
    found = [
        f"{path.relative_to(repository)}:{number}"
        for path, text in texts(files)
        if path.suffix == ".py"
        for number, line in enumerate(text.splitlines(), 1)
        if open_ended.search(line)
    ]
    assert found == []


def loaded_by(statement: str) -> set[str]:
    program = f"import sys; {statement}; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    return set(done.stdout.split())


@pytest.mark.parametrize(
    ("statement", "unwanted"),
    [
        ("import beebox", HEAVY),
        ("import beebox; beebox.u32; beebox.xdp", {"llvmlite", "numpy", "rich"}),
        ("import beebox.api", {"llvmlite", "numpy", "rich"}),
        ("import beebox.cli.main", {"llvmlite", "numpy", "rich"}),
        ("import beebox.cli.verify", {"llvmlite", "rich"}),
        ("import beebox.linux.kernel", {"llvmlite", "numpy", "rich"}),
    ],
)
def test_imports_stay_light(statement: str, unwanted: set[str]) -> None:
    assert loaded_by(statement) & unwanted == set()


def test_the_wheel_is_pure_python_and_whole(repository: Path, tmp_path: Path) -> None:
    copy = tmp_path / "project"
    copy.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(repository / name, copy)
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(repository / "src", copy / "src", ignore=ignored)
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", tmp_path],
        cwd=copy,
        check=True,
        capture_output=True,
    )
    (wheel,) = tmp_path.glob("*.whl")
    assert wheel.name.endswith("-py3-none-any.whl")
    packed = {name for name in ZipFile(wheel).namelist() if name.startswith("beebox/")}
    sources = {path.relative_to(copy / "src") for path in (copy / "src").rglob("*")}
    assert packed == {str(path) for path in sources if path.suffix}


def test_development_tools_are_pinned(repository: Path) -> None:
    lock = (repository / "requirements-dev.lock").read_text(encoding="utf-8").splitlines()
    rows = [line for line in lock if line and not line.startswith("#")]
    assert all(re.fullmatch(r"[\w.-]+==[\w.]+", row) for row in rows), rows
    pinned = {row.partition("==")[0].lower().replace("_", "-") for row in rows}
    asked = (repository / "requirements-dev.in").read_text(encoding="utf-8").splitlines()
    project = tomllib.loads((repository / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [line for line in asked if line and not line.startswith("#")]
    wanted += [re.split(r"[<>=!~\[;]", row)[0] for row in project["dependencies"]]
    assert {name.lower() for name in wanted} <= pinned


def generator(repository: Path) -> ModuleType:
    spec = spec_from_file_location("generate", repository / "docs" / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_generated_docs_are_current(repository: Path) -> None:
    pages = generator(repository).PAGES
    folder = repository / "docs" / "reference"
    assert sorted(path.name for path in folder.iterdir()) == sorted(pages)
    stale = [
        name
        for name, write in pages.items()
        if (folder / name).read_text(encoding="utf-8") != write()
    ]
    assert stale == [], "run make docs"
