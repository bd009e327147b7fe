"""The running kernel must say the same of every case as our verifier's expected verdict."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

pytestmark = pytest.mark.linux


def _cases():
    path = Path(__file__).parents[1] / "unit/verifier/test_cases.py"
    spec = importlib.util.spec_from_file_location("verifier_cases", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.CASES


@pytest.mark.parametrize("case", _cases(), ids=lambda case: case.name)
def test_linux_agrees(case, kernel_verdict):
    theirs = kernel_verdict(case.spec)
    assert theirs.accepted == (case.expected == "accepted"), theirs.log
