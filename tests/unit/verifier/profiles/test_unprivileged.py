"""tests/data/verifier/profiles: what the stricter profiles refuse, and the kernel's does not."""

from __future__ import annotations

import pytest
from profile_cases import cases

from beebox.tables.findings import FINDINGS
from beebox.verifier.options import Options, Profile
from beebox.verifier.reports.report import render
from beebox.verifier.verify import verify

_UNPRIVILEGED = cases("unprivileged")


def test_cases_have_names_of_their_own():
    assert len({case.name for case in _UNPRIVILEGED}) == len(_UNPRIVILEGED)
    assert {case.expected for case in _UNPRIVILEGED} <= {"accepted", *FINDINGS}


@pytest.mark.parametrize("case", _UNPRIVILEGED, ids=lambda case: case.name)
def test_unprivileged(case):
    report = verify(case.spec, Options(Profile.UNPRIVILEGED))
    verdict = "accepted" if report.accepted else report.findings[0].code
    assert verdict == case.expected, render(report)
    assert report.profile == "unprivileged"


def test_what_is_never_executed_leaves_no_facts():
    (case,) = [case for case in _UNPRIVILEGED if "behind a barrier" in case.name]
    verified = verify(case.spec, Options(Profile.UNPRIVILEGED)).require_accepted()
    assert verified.regs[2] is None
    assert verified.edges == {1: 2}
    assert verified.profile == "unprivileged"
