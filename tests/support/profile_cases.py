"""The cases of tests/data/verifier/profiles, in the form of tests/unit/verifier/test_cases.py."""

from __future__ import annotations

import importlib.util
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

_TESTS = Path(__file__).parents[1]


@cache
def _case_files() -> ModuleType:
    path = _TESTS / "unit/verifier/test_cases.py"
    spec = importlib.util.spec_from_file_location("verifier_cases", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def every_case() -> list[Any]:
    """The cases whose expected verdicts are those of the profile ``kernel``."""
    return list(_case_files().CASES)


def cases(profile: str) -> list[Any]:
    """The cases of one profile: ``name``, ``expected`` verdict or finding, ``spec``."""
    module = _case_files()
    found = []
    text = (_TESTS / f"data/verifier/profiles/{profile}.case").read_text()
    for section in text.split("\n=== ")[1:]:
        head, _, code = section.partition("\n")
        name, _, expected = head.rpartition(": ")
        found += [module.Case(label, expected, spec) for label, spec in module.programs(name, code)]
    return found
