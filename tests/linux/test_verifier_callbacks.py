"""Functions that helpers call: the running kernel must say the same as our verifier."""

from __future__ import annotations

from collections import Counter

import pytest
from verifier_callbacks import CASES, MAPS, random_program
from verifier_oracle import Oracle, describe
from verifier_rounds import random_rounds

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


def test_nested_functions(record_property, monkeypatch):
    """Functions in functions, with records, samples and pointers: the same verdicts and lines."""
    monkeypatch.setattr(explore, "MAX_INSNS", MOST_INSNS)
    found = Counter()
    with Oracle(MAPS) as oracle:
        for seed in range(SEEDS):
            program = random_rounds(seed)
            ours = verify(program)
            verdict = "accepted" if ours.accepted else ours.findings[0].code
            found[verdict] += 1
            if verdict == "too-complex":
                continue
            theirs = oracle.verdict(program)
            assert ours.accepted == theirs.accepted, f"seed {seed}\n" + describe(
                program, ours, theirs
            )
            if not ours.accepted:
                assert ours.findings[0].kernel_message in theirs.log, f"seed {seed}"
    record_property("verdicts", dict(found))
    assert 0.3 * SEEDS < found["accepted"] < 0.9 * SEEDS
    assert found["too-complex"] < 0.1 * SEEDS
    assert len(found) >= 4
