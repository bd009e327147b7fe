"""Bugs put into the verifier are noticed: a short form of ``fuzz/inject.py``.

Also the table of bug classes: an unsafe program, its safe twin and a bug for each that applies.
"""

from __future__ import annotations

import importlib
import sys
from collections import Counter
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[2]
_DATA = _ROOT / "tests/data/verifier"
_SHORT = (
    "32-bit comparisons narrow 64 bits",
    "inclusion the wrong way round",
    "a variable store leaves spilled pointers",
    "subtraction adds the ends",
)
_STATUS = {"case", "elsewhere", "absent", "as Linux"}


@pytest.fixture(scope="module")
def inject():
    sys.path.insert(0, str(_ROOT / "fuzz"))
    try:
        yield importlib.import_module("inject")
    finally:
        sys.path.remove(str(_ROOT / "fuzz"))


def classes():
    """{number: (status, what)}"""
    lines = (_DATA / "classes.tsv").read_text().splitlines()
    rows = [line.split("\t") for line in lines if not line.startswith("#")]
    return {int(number): (status, what) for number, status, what in rows}


def test_every_bug_is_an_edit_of_the_source(inject):
    for bug in inject.BUGS:
        path = _ROOT / "src/beebox/verifier" / f"{bug.module.replace('.', '/')}.py"
        assert path.read_text().count(bug.old) == 1, bug
        assert bug.old.count("\n") == bug.new.count("\n"), bug
    assert len(inject.BUGS) >= 25
    assert max(Counter(bug.name for bug in inject.BUGS).values()) == 1


def test_every_class_that_applies_has_its_programs_and_its_bug(inject):
    text = (_DATA / "classes.case").read_text()
    rows = classes()
    assert sorted(rows) == list(range(1, 64))
    assert {status for status, _ in rows.values()} == _STATUS
    bugs = {number for bug in inject.BUGS for number in bug.like}
    applying = {number for number, (status, _) in rows.items() if status == "case"}
    for number in applying:
        assert f"class {number}, unsafe: " in text
        assert f"class {number}, safe: " in text
    assert bugs == applying


@pytest.mark.slow
@pytest.mark.parametrize("name", _SHORT)
def test_a_bug_is_noticed(inject, name):
    (bug,) = (bug for bug in inject.BUGS if bug.name == name)
    found = inject.examine(bug, ("cases", "embedding"), quick=True)
    assert any(found.values()), found


@pytest.mark.slow
def test_without_a_bug_nothing_is_noticed(inject):
    assert not any(inject.examine(inject.NO_BUG, ("cases",), quick=True).values())
