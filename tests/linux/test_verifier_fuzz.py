"""Random programs: our verdict is the running kernel's, on every one of them."""

from __future__ import annotations

import importlib.util
import sys
import time
from pathlib import Path

import pytest

from beebox.verifier.verify import verify

pytestmark = [pytest.mark.linux, pytest.mark.slow]

_PATH = Path(__file__).parents[2] / "fuzz/verifier.py"
_SECONDS = 8
_MOST_PROGRAMS = 2000


def test_verdicts_agree(record_property):
    spec = importlib.util.spec_from_file_location("fuzz_verifier_linux", _PATH)
    fuzz = importlib.util.module_from_spec(spec)
    sys.modules["fuzz_verifier_linux"] = fuzz
    spec.loader.exec_module(fuzz)
    programs = accepted = ours_processed = theirs_processed = 0
    deadline = time.monotonic() + _SECONDS
    with fuzz.Oracle() as oracle:
        while time.monotonic() < deadline and programs < _MOST_PROGRAMS:
            program = fuzz.program(programs)
            ours, theirs = verify(program), oracle.verdict(program)
            assert ours.accepted == theirs.accepted, fuzz.describe(
                program, ours, oracle.verdict(program, log_level=7)
            )
            programs += 1
            if ours.accepted:
                accepted += 1
                ours_processed += ours.insns_processed
                theirs_processed += theirs.insns_processed
    record_property("programs", programs)
    record_property("instructions processed, ours over theirs", ours_processed / theirs_processed)
    assert programs > 50
    assert 0.3 <= accepted / programs <= 0.7
