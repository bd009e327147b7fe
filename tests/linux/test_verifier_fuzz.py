"""Random programs: our verdict is the running kernel's, on every one of them."""

from __future__ import annotations

import time

import pytest
import verifier_calls
import verifier_values
from verifier_oracle import Oracle, describe

from beebox.errors import SyscallError
from beebox.verifier import explore
from beebox.verifier.verify import verify

pytestmark = [pytest.mark.linux, pytest.mark.slow]

_SECONDS = 8
_MOST_PROGRAMS = 2000
_MOST_INSNS = 5000


@pytest.mark.parametrize(
    ("program_of", "maps"),
    [
        (verifier_values.program, verifier_values.MAPS),
        (verifier_calls.program, verifier_calls.MAPS),
        (verifier_calls.other_program, verifier_calls.MAPS),
    ],
    ids=["values", "calls", "other types"],
)
def test_verdicts_agree(program_of, maps, record_property, monkeypatch):
    """Programs of which one verifier has no verdict are counted, and must be few."""
    monkeypatch.setattr(explore, "MAX_INSNS", _MOST_INSNS)
    seed = compared = accepted = ours_processed = theirs_processed = 0
    deadline = time.monotonic() + _SECONDS
    with Oracle(maps) as oracle:
        while time.monotonic() < deadline and seed < _MOST_PROGRAMS:
            program = program_of(seed)
            seed += 1
            ours = verify(program)
            if not ours.accepted and ours.findings[0].code in {"not-supported", "too-complex"}:
                continue
            try:
                theirs = oracle.verdict(program)
            except SyscallError:
                continue
            if "verifier bug" in theirs.log:
                continue
            assert ours.accepted == theirs.accepted, f"seed {seed - 1}\n" + describe(
                program, ours, oracle.verdict(program, log_level=7)
            )
            compared += 1
            if ours.accepted:
                accepted += 1
                ours_processed += ours.insns_processed
                theirs_processed += theirs.insns_processed
    record_property("programs", compared)
    record_property("instructions processed, ours over theirs", ours_processed / theirs_processed)
    assert compared > 50
    assert compared >= 0.9 * seed
    assert 0.3 <= accepted / compared <= 0.7
