"""Functions that helpers call: the running kernel must say the same as our verifier."""

from __future__ import annotations

import pytest
from verifier_callbacks import CASES, MAPS, random_program
from verifier_oracle import Oracle, describe

from beebox.verifier import explore
from beebox.verifier.verify import verify

pytestmark = pytest.mark.linux

SEEDS = 200
MOST_INSNS = 5000


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_linux_agrees(case, kernel_verdict):
    """Also, the line that we say Linux logs is in its log."""
    theirs = kernel_verdict(case.spec)
    assert theirs.accepted == (case.expected == "accepted"), theirs.log
    if not theirs.accepted:
        assert verify(case.spec).findings[0].kernel_message in theirs.log


def test_random_functions(record_property, monkeypatch):
    """The same verdicts; we may look at more rounds, not at many more."""
    monkeypatch.setattr(explore, "MAX_INSNS", MOST_INSNS)
    accepted = ours_processed = theirs_processed = 0
    with Oracle(MAPS) as oracle:
        for seed in range(SEEDS):
            program = random_program(seed)
            ours, theirs = verify(program), oracle.verdict(program)
            if not ours.accepted and ours.findings[0].code == "too-complex":
                assert theirs.insns_processed > MOST_INSNS
                continue
            assert ours.accepted == theirs.accepted, f"seed {seed}\n" + describe(
                program, ours, theirs
            )
            if ours.accepted:
                accepted += 1
                ours_processed += ours.insns_processed
                theirs_processed += theirs.insns_processed
    record_property("instructions processed, ours over theirs", ours_processed / theirs_processed)
    assert 0.3 * SEEDS < accepted < 0.9 * SEEDS
    assert 0.9 < ours_processed / theirs_processed < 1.1
