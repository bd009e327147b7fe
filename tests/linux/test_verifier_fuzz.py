"""Random programs: our verdict is the running kernel's, on every one of them."""

from __future__ import annotations

import time

import pytest
from verifier_fuzz.campaign import KINDS, Comparison, Tally

pytestmark = [pytest.mark.linux, pytest.mark.slow]

_SECONDS = 3
_MOST_PROGRAMS = 2000
_BLOCK = 50


@pytest.mark.parametrize("kind", KINDS)
def test_verdicts_agree(kind, record_property):
    """Programs of which one verifier has no verdict are counted, and must be few."""
    tally, seed = Tally(), 0
    percent = KINDS[kind].mutated_percent
    deadline = time.monotonic() + _SECONDS
    with Comparison() as comparison:
        while time.monotonic() < deadline and seed < _MOST_PROGRAMS:
            tally.add(comparison.block(kind, range(seed, seed + _BLOCK), percent))
            seed += _BLOCK
            assert not tally.found, f"{tally.found[0]}\n{tally.found[0].text}"
    record_property("programs", tally.compared)
    record_property("as many processed", tally.counts["the same number processed"])
    assert tally.compared >= 50
    assert tally.compared >= 0.9 * seed
    assert 0.3 <= tally.counts["both accept"] / tally.compared <= 0.7
