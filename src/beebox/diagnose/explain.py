"""A report with all that can be found out about its findings."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Final

from beebox.diagnose.counterexample import search
from beebox.diagnose.fixes import suggestions, watched
from beebox.diagnose.trace import Trace, trace, with_branches
from beebox.obj.model import ProgramSpec
from beebox.verifier.options import Options
from beebox.verifier.result import Report
from beebox.verifier.shape.cfg import shape

_AGAIN_NS: Final = 10_000_000_000


def explained(report: Report, options: Options) -> Report:
    """The report with the failing path's branches, changes that were tried, a counterexample.

    An accepted program's report is given back as it is. ``options`` are those of the verification.
    """
    if report.accepted or not report.findings:
        return report
    finding = report.findings[0]
    if finding.code == "timeout":
        return report  # to look again would take as long again
    options = replace(options, deadline_ns=time.monotonic_ns() + _AGAIN_NS)  # the old one is over
    found = trace(report, options, watched(report))
    if found is None:
        return report
    finding = with_branches(report.spec, finding, found.branches)
    finding = replace(finding, suggestions=suggestions(report, options, found))
    alone = _alone(report.spec, finding.pc, found)
    shown = search(report.spec, finding, found.branches, alone=alone)
    finding = replace(finding, counterexample=shown)
    return replace(report, findings=(finding, *report.findings[1:]))


def _alone(spec: ProgramSpec, pc: int, found: Trace) -> bool:
    """Whether the path began in a function that is verified on its own."""
    return (
        found.path is not None
        and len(found.path.state.frames) == 1
        and shape(spec).function_of(pc) != 0
    )
