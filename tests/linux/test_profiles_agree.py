"""The profile ``unprivileged`` against the running kernel, asked without CAP_PERFMON."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator

import pytest
from capabilities import unprivileged
from profile_cases import cases, every_case

from beebox.errors import SyscallError
from beebox.linux.load import Verdict
from beebox.obj.model import ProgramSpec
from beebox.verifier.options import Options, Profile
from beebox.verifier.reports.report import render
from beebox.verifier.verify import verify

pytestmark = pytest.mark.linux

_OTHER_LINE = {
    "queue: lookup": "the size of the key is looked at before the type of the map",
    "arithmetic: number minus pointer": "it is the unsupported kind of pointer that Linux names",
    "xdp: callers: a helper that may sleep": "without CAP_PERFMON, there is no such helper",
    "sched_cls: callers: a helper that may sleep": "without CAP_PERFMON, there is no such helper",
    "stack liveness: a classic load that skips the write": "Linux says: verifier bug",
    "slice: spilled, of a record after it was submitted": "Linux refuses what was loaded when used",
}
"""Cases that both refuse, Linux for another reason than ours."""


_OTHER_COUNT = {
    "slice: written back through its dynptr": "Linux forgets dynptrs that nobody uses",
    "may_goto: in a subprogram, called in a loop of its own": "so it is for privileged loads",
}
"""Cases that both accept, Linux after fewer or more instructions."""


_STRICTER = frozenset(
    {
        "class 27, safe: what an atomic operation fetched from the stack",
        "class 27, unsafe: what an atomic operation fetched from the stack",
    }
)
"""Cases that we refuse and Linux accepts.

Linux loses what the fetched number came from (with CAP_PERFMON, too: that is class 27), and so
prunes the way with the other number. Where a load reads it instead, it looks at both, and refuses.
"""


@pytest.fixture(scope="module", autouse=True)
def _without_perfmon() -> Iterator[None]:
    with unprivileged():
        yield


@pytest.mark.parametrize(
    "case", [*cases("unprivileged"), *every_case()], ids=lambda case: case.name
)
def test_linux_agrees(case, kernel_verdict: Callable[[ProgramSpec], Verdict]) -> None:
    """The same verdict, for the same reason, after as many instructions."""
    ours = verify(case.spec, Options(Profile.UNPRIVILEGED))
    try:
        theirs = kernel_verdict(case.spec)
    except SyscallError as error:  # also where a program accesses a struct of the kernel
        found = error.errno, [finding.code for finding in ours.findings]
        assert found == (errno.EPERM, ["loader"])
        return
    if case.name in _STRICTER:
        assert (theirs.accepted, ours.accepted) == (True, False)
        return
    assert theirs.accepted == ours.accepted, (theirs.log, render(ours))
    if not theirs.accepted and case.name not in _OTHER_LINE:
        assert ours.findings[0].kernel_message in theirs.log
    if theirs.accepted and case.name not in _OTHER_COUNT:
        assert theirs.insns_processed == ours.insns_processed
