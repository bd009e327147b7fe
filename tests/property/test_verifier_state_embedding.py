"""Runs lie inside the abstract states of their path, and pruning changes no verdict.

A short form of ``fuzz/embedding.py``, and its machine against the definition of the operations.
"""

from __future__ import annotations

import numpy as np
import pytest
from verifier_fuzz import vectors
from verifier_fuzz.embedded import KINDS, block

from beebox.isa import semantics
from beebox.tables.opcodes import AluOp, JmpOp

_EDGES = [0, 1, 2, 7, 31, 32, 63, 64, 255, 0x7FFF, 0x8000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF]
_EDGES += [1 << 32, (1 << 63) - 1, 1 << 63, (1 << 64) - 1, (1 << 64) - 2, (1 << 64) - (1 << 31)]
X = np.array([one for one in _EDGES for _ in _EDGES], np.uint64)
Y = np.array([one for _ in _EDGES for one in _EDGES], np.uint64)


@pytest.mark.parametrize("bits", [64, 32])
@pytest.mark.parametrize("op", list(AluOp), ids=lambda op: op.name)
def test_arithmetic_of_the_machine(op, bits):
    found = vectors.alu(op, X, Y, bits)
    expected = [semantics.alu(op, int(x), int(y), bits) for x, y in zip(X, Y, strict=True)]
    assert found.tolist() == expected


@pytest.mark.parametrize("bits", [64, 32])
@pytest.mark.parametrize("op", list(JmpOp), ids=lambda op: op.name)
def test_comparisons_of_the_machine(op, bits):
    found = vectors.compare(op, X, Y, bits)
    expected = [semantics.compare(op, int(x), int(y), bits) for x, y in zip(X, Y, strict=True)]
    assert found.tolist() == expected


@pytest.mark.parametrize("bits", [16, 32, 64])
@pytest.mark.parametrize("to", ["le", "be", "bswap"])
def test_swaps_of_the_machine(to, bits):
    found = vectors.swap(to, bits, X)
    assert found.tolist() == [semantics.swap(to, bits, int(x)) for x in X]


@pytest.mark.parametrize("kind", KINDS)
def test_runs_stay_inside(kind, record_property):
    seeds = {"bounds": 200, "values": 120, "budget": 60, "callbacks": 40}[kind]
    tally = block(kind, range(seeds), count=128)
    record_property("counts", dict(tally.counts))
    assert not tally.violations, "\n".join(tally.violations)
    assert tally.counts["runs of accepted programs"] > 15 * seeds
    assert tally.counts["accepted"] > 0.2 * seeds
    assert tally.counts["refused"] > 0.1 * seeds
