"""The verifier compiled by mypyc says the same as its source, after the same work."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def _fast():
    spec = importlib.util.spec_from_file_location("fast", ROOT / "wheels/fast.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _table(source: Path) -> dict:
    command = [sys.executable, "tests/support/verdict_table.py", "tests"]
    env = {**os.environ, "PYTHONPATH": f"{source}{os.pathsep}tests/support"}
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)


@pytest.mark.slow
@pytest.mark.timeout(1500)  # a minute or two alone, more where others work
def test_the_compiled_verifier_agrees(tmp_path: Path) -> None:
    """Verdicts, instructions processed and states are those of the Python source."""
    fast = _fast()
    try:
        fast.build_tree(tmp_path, level="0")
    except fast.CannotBuildError as error:
        if error.missing:
            pytest.skip(str(error))
        raise
    compiled, plain = _table(tmp_path / "src"), _table(ROOT / "src")
    assert compiled["file"].endswith(".so")
    assert plain["file"].endswith(".py")
    assert len(plain["rows"]) > 500
    different = {
        name: (compiled["rows"].get(name), row)
        for name, row in plain["rows"].items()
        if compiled["rows"].get(name) != row
    }
    assert different == {}
    with zipfile.ZipFile(fast.wheel(tmp_path, tmp_path / "dist")) as wheel:
        names = wheel.namelist()
        assert "Root-Is-Purelib: false" in wheel.read(_named(names, "WHEEL")).decode()
    assert any(name.startswith("beebox/verifier/explore.") and ".so" in name for name in names)
    assert "beebox/verifier/explore.py" in names


def _named(names: list[str], suffix: str) -> str:
    return next(name for name in names if name.endswith(f".dist-info/{suffix}"))
