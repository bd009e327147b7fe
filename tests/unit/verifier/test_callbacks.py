"""Functions that helpers call: tests/linux/test_verifier_callbacks.py asks Linux the same."""

from __future__ import annotations

import pytest
from verifier_callbacks import CASES, GO_ON, looping, program

from beebox.errors import NotSupportedError
from beebox.userspace.admission import admit
from beebox.verifier.reports.report import render
from beebox.verifier.verify import verify


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_verdict(case):
    report = verify(case.spec)
    assert ("accepted" if report.accepted else report.findings[0].code) == case.expected, render(
        report
    )


def test_the_userspace_kernel_does_not_run_them():
    with pytest.raises(NotSupportedError, match="helper loop in userspace"):
        admit(verify(looping(GO_ON)).require_accepted())


def test_the_userspace_kernel_makes_no_addresses_of_functions():
    """Also where no helper gets them."""
    spec = program("r2 = func[each] ll\nr0 = 2\nexit", each=GO_ON)
    with pytest.raises(NotSupportedError, match="the address of a function"):
        admit(verify(spec).require_accepted())
