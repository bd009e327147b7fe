"""Random programs with dynptrs: the running kernel must say the same as our verifier."""

from __future__ import annotations

from collections import Counter

import pytest
from verifier_dynptrs import MAPS, kfunc_externs, random_program
from verifier_oracle import Oracle, describe

from beebox.obj.targets.host import host
from beebox.verifier.options import Options
from beebox.verifier.verify import verify

pytestmark = pytest.mark.linux

SEEDS = 400


def test_random_programs(record_property):
    """The same verdicts, line of the log and work."""
    externs, options = kfunc_externs(), Options(target=host())
    found = Counter[str]()
    others = 0
    with Oracle(MAPS) as oracle:
        for seed in range(SEEDS):
            program = random_program(seed, externs)
            ours, theirs = verify(program, options), oracle.verdict(program)
            assert ours.accepted == theirs.accepted, f"seed {seed}\n" + describe(
                program, ours, theirs
            )
            if ours.accepted:
                found["accepted"] += 1
                others += ours.insns_processed != theirs.insns_processed
            else:
                found[ours.findings[0].code] += 1
                assert ours.findings[0].kernel_message in theirs.log, f"seed {seed}"
    record_property("verdicts", dict(found))
    record_property("programs that took another number of instructions", others)
    assert 0.4 * SEEDS < found["accepted"] < 0.8 * SEEDS
    assert len(found) >= 7
    assert others <= 0.02 * found["accepted"]
