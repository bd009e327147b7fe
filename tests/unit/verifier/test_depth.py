"""The stack of call chains: tests/data/c/verdicts/stack_depth.c asks Linux the same."""

from __future__ import annotations

import pytest

from beebox.isa.assembler import assemble
from beebox.obj.model import ProgramSpec
from beebox.tables.program_types import ProgramType
from beebox.verifier.verify import verify

_INNER = "inner:\n*(u64 *)(r10 - 264) = 0\nr0 = 0\nexit"
_TWO = "*(u64 *)(r10 - 264) = 0\ncall inner\nr0 = 0\nexit\n" + _INNER
_FITS = _TWO.replace("264", "256")


@pytest.mark.parametrize(
    ("text", "type_", "accepted"),
    [
        (_FITS, ProgramType.XDP, True),
        (_TWO, ProgramType.XDP, False),
        (_TWO, ProgramType.KPROBE, True),
        (_TWO, ProgramType.TRACEPOINT, True),
        (_TWO, ProgramType.PERF_EVENT, True),
        (_TWO, ProgramType.RAW_TRACEPOINT, True),
        (_TWO, ProgramType.RAW_TRACEPOINT_WRITABLE, False),
        (_TWO, ProgramType.SCHED_CLS, False),
    ],
)
def test_event_programs_have_a_stack_for_each_function(text, type_, accepted):
    report = verify(ProgramSpec("depth", "", type_, tuple(assemble(text)), {}))
    assert report.accepted == accepted
    if not accepted:
        assert report.findings[0].code == "call-depth"
        assert (
            report.findings[0].kernel_message == "combined stack size of 2 calls is 544. Too large"
        )
