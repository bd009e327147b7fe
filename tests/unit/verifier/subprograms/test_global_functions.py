"""Global functions: tests/linux/test_verifier_globals.py asks Linux the same."""

from __future__ import annotations

import pytest
from verifier_globals import CASES, program

from beebox.verifier.reports.report import render
from beebox.verifier.verify import verify


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_verdict(case):
    report = verify(case.spec)
    found = "accepted" if report.accepted else report.findings[0].code
    assert found == case.expected, render(report)


def test_a_kernel_that_is_not_known():
    """Which of its types is trusted cannot be said."""
    spec = program("r1 = 0\ncall func[f]\nr0 = 2\nexit", "r0 = 0\nexit", "trusted:task_struct*")
    assert [finding.code for finding in verify(spec).findings] == ["not-supported"]
