"""Calls of kernel functions: our verdict, log line and work beside the running kernel's."""

from __future__ import annotations

import time
from typing import Final

import pytest
import verifier_kfuncs
from verifier_oracle import Oracle

from beebox.errors import SyscallError
from beebox.obj.targets.host import host
from beebox.tables.program_types import ProgramType
from beebox.tables.sections import ProgramFlags
from beebox.verifier.options import Options
from beebox.verifier.verify import verify

pytestmark = pytest.mark.linux

_PROGRAMS: Final = 100
_MOST_INSNS: Final = 5000  # of Linux: longer programs are left out, they would take seconds


_OTHERWISE: Final = {
    "iterator: above the frame": "Linux takes the address of the frame's end for its last slot",
}
"""Cases that Linux judges otherwise, and why."""


@pytest.mark.parametrize("name", verifier_kfuncs.cases(host().btf))
def test_cases(name):
    """The running kernel says the same of every case, in the line that we give."""
    expected, code = verifier_kfuncs.cases(host().btf)[name]
    kind = (ProgramType.SYSCALL, None, ProgramFlags.SLEEPABLE)
    spec = verifier_kfuncs.linked(host().btf, code, *kind)
    ours = verify(spec, Options(target=host()))
    with Oracle(verifier_kfuncs.MAPS) as oracle:
        theirs = oracle.verdict(spec)
    assert ours.accepted == (expected == "accepted")
    if name in _OTHERWISE:
        assert theirs.accepted != ours.accepted
        return
    assert theirs.accepted == ours.accepted, theirs.log
    assert theirs.insns_processed == ours.insns_processed
    if not ours.accepted:
        assert ours.findings[0].kernel_message in theirs.log


def test_arguments(record_property):
    """Every function with wrong and right arguments: verdict, line and instructions agree."""
    kernel = host().btf
    different, judged, not_judged = [], 0, 0
    with Oracle(verifier_kfuncs.MAPS) as oracle:
        for name, spec in verifier_kfuncs.argument_programs(kernel, every=False):
            ours, theirs = verify(spec, Options(target=host())), oracle.verdict(spec)
            finding = ours.findings[0] if ours.findings else None
            if finding is not None and finding.code == "not-supported":
                not_judged += 1
                continue
            judged += 1
            line = finding.kernel_message if finding is not None else ""
            if (
                ours.accepted != theirs.accepted
                or ours.insns_processed != theirs.insns_processed
                or line not in theirs.log
            ):
                different.append((name, ours.accepted, line, theirs.log[-400:]))
    record_property("judged", judged)
    record_property("not supported", not_judged)
    assert different == []
    assert judged > 1000


def test_iterators(record_property):
    """Random loops: the same verdicts, and mostly the same work to come to them."""
    kernel = host().btf
    different, work = [], []
    with Oracle(verifier_kfuncs.MAPS) as oracle:
        for seed in range(_PROGRAMS):
            spec = verifier_kfuncs.iterator_program(kernel, seed)
            try:
                theirs = oracle.verdict(spec)
            except SyscallError:  # too many branches waited to be explored
                continue
            if theirs.insns_processed > _MOST_INSNS:
                continue
            deadline = time.monotonic_ns() + 5 * 10**9
            ours = verify(spec, Options(target=host(), deadline_ns=deadline))
            if ours.accepted != theirs.accepted:
                different.append((seed, ours.findings, theirs.log[-400:]))
            else:
                work.append((ours.insns_processed, theirs.insns_processed))
    near = sum(abs(ours - theirs) <= 0.02 * theirs for ours, theirs in work)
    record_property("within 2 %", f"{near} of {len(work)}")
    assert different == []
    assert len(work) > 0.8 * _PROGRAMS
    assert near >= 0.9 * len(work)
